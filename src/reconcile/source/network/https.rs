//! Git's smart protocol over https, with rustls and the credentials of this source, as a transport of libgit2.
//!
//! Its own transport trusts one set of authorities for the whole process, asks for credentials without end, and reads
//! without a deadline.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use tokio::runtime::Handle;

use super::words::Words;
use super::{CONNECT_TIMEOUT, Call};
use crate::http::innermost;
use crate::kafka::tls::{UpstreamTlsFiles, client_config};
use crate::reconcile::source::SourceError;
use crate::reconcile::source::access::Access;
use crate::reconcile::source::location::redact;
use crate::secret::Secret;

/// What libgit2 wants to say at once: the ids that both sides have, or a commit with its files. It goes out as a whole and with
/// its length, which not every server can do without.
const MAX_REQUEST: usize = 16 << 20;

thread_local! {
    /// The conversation that libgit2 is about to begin on this thread: it knows an address and nothing else.
    static CURRENT: RefCell<Option<Arc<Server>>> = const { RefCell::new(None) };
}

/// A server, and how this source proves itself to it.
pub(in crate::reconcile::source) struct Server {
    call: Arc<Call>,
    runtime: Handle,
    http: reqwest::Client,
    /// Without a trailing slash.
    base: String,
    login: Option<(String, Secret<String>)>,
}

/// Makes libgit2 use this transport for https.
///
/// # Safety
/// No other thread may use libgit2 meanwhile.
#[allow(unsafe_code)] // reason: libgit2 keeps its transports in a global list
pub(in crate::reconcile::source) unsafe fn register() -> Result<(), git2::Error> {
    // SAFETY: as promised by the caller.
    unsafe {
        git2::transport::register("https", |remote| {
            let server = CURRENT.with_borrow(Clone::clone);
            let server =
                server.ok_or_else(|| git2::Error::from_str("https is used outside a conversation"))?;
            Transport::smart(remote, true, Subtransport(server))
        })
    }
}

impl Server {
    /// Reads the token anew: it may have been rotated.
    pub(in crate::reconcile::source) fn new(
        call: &Arc<Call>,
        base: &str,
        access: &Access,
    ) -> io::Result<Arc<Self>> {
        let (base, user) = user_of(base);
        let login = access.token(call)?.map(|token| (user, token));
        let files = UpstreamTlsFiles { ca: access.ca_file.clone(), identity: None, verifies_host: true };
        let tls = client_config(&files).map_err(|error| call.unreachable(error.to_string()))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            // Credentials are for this server alone.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // Some servers tell Git from a browser by this name.
            .user_agent(concat!("git/2 (partner-zones ", env!("CARGO_PKG_VERSION"), ")"))
            .build()
            .map_err(|error| call.unreachable(innermost(error)))?;
        Ok(Arc::new(Self { call: Arc::clone(call), runtime: call.runtime()?, http, base, login }))
    }

    /// Runs libgit2 with this server behind https.
    pub(in crate::reconcile::source) fn within<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.set(Some(Arc::clone(self)));
        let done = work();
        CURRENT.set(None);
        done
    }

    async fn ask(&self, service: Service, body: Vec<u8>) -> io::Result<Response> {
        let name = if writes(service) { "git-receive-pack" } else { "git-upload-pack" };
        let (request, wanted) = match service {
            Service::UploadPackLs | Service::ReceivePackLs => {
                let url = format!("{}/info/refs?service={name}", self.base);
                (self.http.get(url), format!("application/x-{name}-advertisement"))
            }
            Service::UploadPack | Service::ReceivePack => {
                let wanted = format!("application/x-{name}-result");
                let request = self.http.post(format!("{}/{name}", self.base)).body(body);
                let request = request.header(CONTENT_TYPE, format!("application/x-{name}-request"));
                (request.header(ACCEPT, &wanted), wanted)
            }
        };
        let request = match &self.login {
            Some((user, token)) => request.basic_auth(user, Some(token.expose())),
            None => request,
        };
        let answered = self.call.step(self.call.stall(), "there was no answer", request.send()).await?;
        let response = answered.map_err(|error| self.call.unreachable(innermost(error)))?;
        if writes(service) && response.status() == StatusCode::FORBIDDEN {
            return Err(self.refusal(response).await);
        }
        self.accept(response, &wanted, if writes(service) { "write to" } else { "read" })
    }

    /// Who may read and not write is told so, as a rule in plain text.
    async fn refusal(&self, mut response: Response) -> io::Error {
        let is_text = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
        let mut said = Words::default();
        while is_text && !said.is_full() {
            match self.call.step(self.call.stall(), "the server sent nothing", response.chunk()).await {
                Ok(Ok(Some(chunk))) => said.hear(&chunk),
                _ => break,
            }
        }
        self.call.refuse(said.after("these credentials may not write to it (HTTP 403)"))
    }

    fn accept(&self, response: Response, wanted: &str, what: &str) -> io::Result<Response> {
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        if status == StatusCode::OK && header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with(wanted)) {
            return Ok(response);
        }
        Err(match status {
            StatusCode::OK => self.call.unreachable(
                "the answer is not Git's smart protocol; is source.url the address that git clones from?",
            ),
            StatusCode::UNAUTHORIZED if self.login.is_none() => self
                .call
                .denied("it wants credentials (HTTP 401): put a token into a file and name it in source.auth.tokenFile"),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let status = status.as_u16();
                self.call.denied(format!(
                    "the token was refused (HTTP {status}): it has expired, was revoked, or may not {what} this repository"
                ))
            }
            StatusCode::NOT_FOUND => {
                self.call.fail(SourceError::RepositoryNotFound { url: self.call.url().to_owned() })
            }
            status if status.is_redirection() => {
                let to = header(LOCATION).map(redact).unwrap_or_default();
                self.call.unreachable(format!("it redirects to {to:?}, which is not followed: correct source.url"))
            }
            status => self.call.unreachable(format!("the server answered HTTP {}", status.as_u16())),
        })
    }
}

fn writes(service: Service) -> bool {
    matches!(service, Service::ReceivePackLs | Service::ReceivePack)
}

/// The address without the user name in it, and that name. Servers that take tokens want one name or do not look at it.
fn user_of(base: &str) -> (String, String) {
    let base = base.trim_end_matches('/');
    let default = "x-access-token".to_owned();
    let Some((scheme, rest)) = base.split_once("://") else { return (base.to_owned(), default) };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let rest = rest.get(user.len().saturating_add(1)..).unwrap_or_default();
            (format!("{scheme}://{rest}"), user.to_owned())
        }
        None => (base.to_owned(), default),
    }
}

struct Subtransport(Arc<Server>);

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let server = Arc::clone(&self.0);
        Ok(Box::new(Exchange { server, service, request: Vec::new(), response: None, chunk: Bytes::new() }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// One request, sent when its answer is first read, and that answer.
struct Exchange {
    server: Arc<Server>,
    service: Service,
    request: Vec<u8>,
    response: Option<Response>,
    /// Of the answer, not read yet.
    chunk: Bytes,
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.request.len().saturating_add(bytes.len()) > MAX_REQUEST {
            return Err(self.server.call.unreachable("the request would be too large"));
        }
        self.request.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let server = Arc::clone(&self.server);
        let call = &server.call;
        server.runtime.block_on(async {
            let mut response = match self.response.take() {
                Some(response) => response,
                None => server.ask(self.service, std::mem::take(&mut self.request)).await?,
            };
            while self.chunk.is_empty() {
                let next = call.step(call.stall(), "the server sent nothing", response.chunk()).await?;
                match next.map_err(|error| call.unreachable(innermost(error)))? {
                    Some(chunk) => {
                        call.received(chunk.len())?;
                        self.chunk = chunk;
                    }
                    None => break,
                }
            }
            self.response = Some(response);
            let read = self.chunk.len().min(buffer.len());
            if let Some(filled) = buffer.get_mut(..read) {
                self.chunk.copy_to_slice(filled);
            }
            Ok(read)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::user_of;

    #[test]
    fn the_user_name_is_that_of_the_address_or_one_that_servers_take() {
        let named = user_of("https://oauth2@git.example.com/a/b.git/");
        assert_eq!(named, ("https://git.example.com/a/b.git".to_owned(), "oauth2".to_owned()));
        let unnamed = user_of("https://git.example.com/a@b.git");
        assert_eq!(unnamed, ("https://git.example.com/a@b.git".to_owned(), "x-access-token".to_owned()));
    }
}
