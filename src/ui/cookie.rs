//! What a browser keeps for us: for our pages, out of reach of scripts, and not sent along with other sites' forms.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::secret::Secret;

#[derive(Debug)]
pub(super) struct Cookie {
    pub(super) name: &'static str,
    /// The pages that get it back.
    pub(super) path: &'static str,
    /// How long it is kept; `None`: until the browser ends.
    pub(super) seconds: Option<u32>,
}

impl Cookie {
    /// What the browser has kept.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Secret<String>> {
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == self.name).map(|(_, value)| Secret::new(value.to_owned()))
    }

    /// Has it keep a value of plain letters.
    pub(super) fn set(&self, value: &str, is_secure: bool) -> Option<(HeaderName, HeaderValue)> {
        self.header(value, self.seconds, is_secure)
    }

    /// Has it forget.
    pub(super) fn take(&self, is_secure: bool) -> Option<(HeaderName, HeaderValue)> {
        self.header("", Some(0), is_secure)
    }

    fn header(
        &self,
        value: &str,
        seconds: Option<u32>,
        is_secure: bool,
    ) -> Option<(HeaderName, HeaderValue)> {
        let Self { name, path, .. } = self;
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let secure = if is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}{age}; Path={path}; HttpOnly; SameSite=Lax{secure}");
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some((SET_COOKIE, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIES: Cookie = Cookie { name: "crumbs", path: "/ui", seconds: Some(60) };

    #[test]
    fn a_cookie_is_for_our_pages_alone_and_under_https_for_https_alone() {
        let set = |is_secure| COOKIES.set("abc", is_secure).unwrap().1.to_str().unwrap().to_owned();
        assert_eq!(set(false), "crumbs=abc; Max-Age=60; Path=/ui; HttpOnly; SameSite=Lax");
        assert_eq!(set(true), format!("{}; Secure", set(false)));
        let taken = COOKIES.take(false).unwrap().1;
        assert_eq!(taken, "crumbs=; Max-Age=0; Path=/ui; HttpOnly; SameSite=Lax");
        assert!(COOKIES.set("a\nb", false).is_none() && taken.is_sensitive());
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("xcrumbs=1; crumbsx=2"));
        assert!(COOKIES.of(&headers).is_none());
        headers.append(COOKIE, HeaderValue::from_static("a=b; crumbs=3=4; crumbs=5"));
        assert_eq!(COOKIES.of(&headers).unwrap().expose(), "3=4");
    }
}
