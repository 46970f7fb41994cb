//! The admin API as programs use it.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::product::Product;

/// Whoever has this key, at this address.
pub(crate) struct Rest {
    url: String,
    key: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// What came back. A body that is no JSON is text.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:#?}")).to_str().unwrap()
    }

    /// The body, if this is the status.
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }
}

impl Rest {
    /// With the product's first admin key.
    pub(crate) fn admin(product: &Product) -> Self {
        Self::new(product.url(), product.admin_key())
    }

    pub(crate) fn new(url: String, key: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A connection that the server closes between two requests is not seen to be closed: nothing runs then.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { url, key, client, runtime }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "")
    }

    /// Sends a body as it is, under the headers that are given.
    pub(crate) fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned());
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            let text = answer.text().await.unwrap();
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Answer { status, headers, body }
        })
    }
}
