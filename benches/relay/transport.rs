//! The bytes under the light client: plain, or TLS 1.3 with one cipher suite, so that no peer can choose a cheaper one.

use std::io::{BufReader, IoSlice, Read, Result, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use partner_zones::kafka::tls::{authorities, provider};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// What one read from the socket takes at most.
const READ: usize = 256 << 10;

#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, LargeReads>>),
}

/// The suite is the one that Java, OpenSSL and rustls all name first.
pub(crate) fn client_config(authority: &Path) -> Arc<ClientConfig> {
    let provider = provider();
    let provider =
        CryptoProvider { cipher_suites: vec![TLS13_AES_256_GCM_SHA384], ..CryptoProvider::clone(&provider) };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(authorities(authority).unwrap())
        .with_no_client_auth();
    Arc::new(config)
}

impl Transport {
    pub(crate) fn new(stream: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Self {
        let Some(config) = tls else { return Self::Plain(stream) };
        let server = ServerName::from(stream.peer_addr().unwrap().ip());
        let mut session = ClientConnection::new(Arc::clone(config), server).unwrap();
        let mut stream = LargeReads(BufReader::with_capacity(READ, stream));
        while session.is_handshaking() {
            session.complete_io(&mut stream).unwrap();
        }
        assert_eq!(session.negotiated_cipher_suite(), Some(TLS13_AES_256_GCM_SHA384));
        Self::Tls(Box::new(StreamOwned::new(session, stream)))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.sock.0.get_ref(),
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// rustls asks for 4 KiB at a time, which would make the client the slowest of all.
#[derive(Debug)]
pub(crate) struct LargeReads(BufReader<TcpStream>);

impl Read for LargeReads {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for LargeReads {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> Result<usize> {
        self.0.get_mut().write_vectored(parts)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.get_mut().flush()
    }
}
