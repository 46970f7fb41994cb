//! Git over https: `git http-backend` itself, behind just enough of a TLS server to run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificates::Authority;

/// What the server does with a request.
#[derive(Debug, Clone, Default)]
pub(crate) enum Conduct {
    /// Everybody may read.
    #[default]
    Open,
    /// Only this user with this password.
    Login(String, String),
    /// Answers with this head and nothing else.
    Answers(String),
    /// Begins to answer, and goes on with one byte at a time for ever.
    Trickles,
    /// Takes every request, and never answers.
    Holds,
    /// Answers until a push comes, and then as this says.
    Push(Loss),
    /// Closes every connection without an answer.
    Gone,
}

/// What goes wrong with a push.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Loss {
    /// Git never gets it.
    Request,
    /// Git gets it, and its answer is lost.
    Answer,
    /// Git gets it, its answer is lost, and nobody answers any more.
    Server,
    /// There is neither an answer nor an end.
    Silence,
}

/// Serves the repositories under one folder; ends when it is dropped.
pub(crate) struct GitHttps {
    address: SocketAddr,
    authority: Authority,
    conduct: Arc<Mutex<Conduct>>,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl GitHttps {
    pub(crate) async fn start(root: &Path) -> Self {
        let authority = Authority::new();
        authority.issue("git", &["localhost"]);
        let chain =
            CertificateDer::pem_file_iter(authority.file("git.crt")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(authority.file("git.key")).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (conduct, requests) = (Arc::<Mutex<Conduct>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (root, shared, seen) = (root.to_owned(), Arc::clone(&conduct), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (acceptor, root) = (acceptor.clone(), root.clone());
                let (conduct, seen) = (Arc::clone(&shared), Arc::clone(&seen));
                tokio::spawn(async move {
                    // A client that does not trust this server goes away here.
                    let Ok(mut stream) = acceptor.accept(connection).await else { return };
                    let Some(request) = Request::read(&mut stream).await else { return };
                    seen.lock().unwrap().push(request.head.clone());
                    answer(&mut stream, &request, &root, &conduct).await;
                });
            }
        });
        Self { address, authority, conduct, requests, task }
    }

    pub(crate) fn url(&self, repository: &str) -> String {
        format!("https://localhost:{}/{repository}", self.address.port())
    }

    /// The authority that its certificate is from.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.authority.certificate()
    }

    pub(crate) fn behave(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap() = conduct;
    }

    /// The heads of all requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for GitHttps {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request; connections are not kept.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let mut body = bytes.split_off(end);
        let head = String::from_utf8(bytes).ok()?;
        let mut request = Self { head, body: Vec::new() };
        let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            stream.read_buf(&mut body).await.ok()?;
        }
        request.body = body;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let line =
            |line: &'_ str| line.split_once(": ").is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        self.head.lines().find(|it| line(it)).and_then(|it| it.split_once(": ")).map(|(_, value)| value)
    }
}

async fn answer(
    stream: &mut (impl AsyncWriteExt + Unpin),
    request: &Request,
    root: &Path,
    shared: &Mutex<Conduct>,
) {
    let conduct = shared.lock().unwrap().clone();
    // Whoever asked may be gone already.
    let _ = match &conduct {
        Conduct::Answers(head) => stream.write_all(head.as_bytes()).await,
        Conduct::Trickles => trickle(stream).await,
        Conduct::Login(user, password)
            if request.header("authorization")
                != Some(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))) =>
        {
            stream
                .write_all(
                    b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
                )
                .await
        }
        Conduct::Holds => std::future::pending().await,
        Conduct::Gone => Ok(()),
        Conduct::Push(loss)
            if request.head.starts_with("POST ") && request.head.contains("git-receive-pack ") =>
        {
            if matches!(loss, Loss::Silence) {
                std::future::pending::<()>().await;
            }
            if !matches!(loss, Loss::Request) {
                backend(request, root).await;
            }
            if matches!(loss, Loss::Server) {
                *shared.lock().unwrap() = Conduct::Gone;
            }
            Ok(())
        }
        Conduct::Open | Conduct::Login(..) | Conduct::Push(_) => {
            stream.write_all(&backend(request, root).await).await
        }
    };
    let _ = stream.shutdown().await;
}

async fn trickle(stream: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(b"001e# service=git-upload-pack\n0000").await?;
    loop {
        // A pkt-line that never ends: its length says 65 516 bytes.
        stream.write_all(b"f").await?;
        stream.flush().await?;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// What `git http-backend` answers, as HTTP.
async fn backend(request: &Request, root: &Path) -> Vec<u8> {
    let mut first = request.head.split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut command = std::process::Command::new("git");
    command
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let body = request.body.clone();
    let output = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let mut child = command.spawn().expect("git is needed");
        // It may answer before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(&body);
        child.wait_with_output().unwrap().stdout
    });
    let output = output.await.unwrap();
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let lines: Vec<&str> = head.lines().filter(|line| !line.starts_with("Status: ")).collect();
    let headers = lines.join("\r\n");
    let body = &output[end + 4..];
    let mut answer = format!(
        "HTTP/1.1 {status}\r\n{headers}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend(body);
    answer
}
