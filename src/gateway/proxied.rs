//! Connections through a balancer: the PROXY protocol, version 1 (a line of text) and 2 (binary), which says in front of everything
//! else where the client connects from. It is believed from the addresses of `gateway.proxyProtocol.from` only, and missing from
//! none of them: a header that is optional is one that a client can write itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::close::Close;

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of version 1's line at most, its end included.
const LONGEST_LINE: usize = 107;
/// Bytes behind version 2's fixed part: addresses, and what balancers add to them, such as an endpoint's name or a certificate's.
const LONGEST_REST: usize = 2 << 10;

/// Not what a balancer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
struct Malformed(&'static str);

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Client(SocketAddr),
    /// The balancer itself, which looks whether somebody is there.
    Balancer,
}

/// Reads the header and nothing behind it: where the connection comes from, which is `balancer` if it speaks for itself.
pub(super) async fn source<R>(
    stream: &mut R,
    balancer: SocketAddr,
    within: Duration,
) -> Result<SocketAddr, Close>
where
    R: AsyncRead + Unpin,
{
    let read = timeout(within, header(stream)).await;
    match read.map_err(|_| Close::ProxyHeader("none came in time"))?? {
        Source::Client(client) => Ok(client),
        Source::Balancer => Ok(balancer),
    }
}

/// Whether these bytes are how a header begins, where none may be.
pub(super) fn is_header(first: &[u8]) -> bool {
    first.starts_with(b"\r\n\r\n") || first.starts_with(b"PROX")
}

async fn header<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Source, Close> {
    let mut first = [0; SIGNATURE.len()];
    // A check of health that only connects: nothing to say about it.
    if stream.read(&mut first[..1]).await.map_err(Close::PartnerGone)? == 0 {
        return Err(Close::PartnerDone);
    }
    stream.read_exact(&mut first[1..]).await.map_err(Close::PartnerGone)?;
    let source = if first == SIGNATURE { binary(stream).await? } else { line(stream, first).await? };
    source.map_err(|Malformed(why)| Close::ProxyHeader(why))
}

async fn binary<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Result<Source, Malformed>, Close> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await.map_err(Close::PartnerGone)?;
    let [command, family, length @ ..] = fixed;
    let length = usize::from(u16::from_be_bytes(length));
    if length > LONGEST_REST {
        return Ok(Err(Malformed("it is too long")));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await.map_err(Close::PartnerGone)?;
    Ok(addresses(command, family, &rest))
}

/// Version 2 behind its signature.
fn addresses(command: u8, family: u8, rest: &[u8]) -> Result<Source, Malformed> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    const UNSPECIFIED: u8 = 0x00;
    const TCP4: u8 = 0x11;
    const TCP6: u8 = 0x21;
    const SHORT: Malformed = Malformed("it is shorter than its addresses");
    match (command, family) {
        (LOCAL, _) | (PROXY, UNSPECIFIED) => Ok(Source::Balancer),
        (PROXY, TCP4) => {
            // Source, destination, source port, destination port.
            let (&[a, b, c, d, _, _, _, _, high, low, _, _], _) = rest.split_first_chunk().ok_or(SHORT)?;
            Ok(client(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low])))
        }
        (PROXY, TCP6) => {
            let (address, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let (_, rest) = rest.split_first_chunk::<16>().ok_or(SHORT)?;
            let (&[high, low, _, _], _) = rest.split_first_chunk().ok_or(SHORT)?;
            Ok(client(Ipv6Addr::from(*address).into(), u16::from_be_bytes([high, low])))
        }
        (PROXY, _) => Err(Malformed("it is of no TCP connection")),
        _ => Err(Malformed("it is of no version that is known")),
    }
}

/// Version 1, of which `first` has been read: a line that ends within its longest.
async fn line<R: AsyncRead + Unpin>(
    stream: &mut R,
    first: [u8; SIGNATURE.len()],
) -> Result<Result<Source, Malformed>, Close> {
    if !first.starts_with(b"PROXY ") {
        return Ok(Err(Malformed("the connection begins with something else")));
    }
    let mut line = first.to_vec();
    // Byte by byte: what follows the line is somebody else's to read.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Ok(Err(Malformed("it is too long")));
        }
        line.push(stream.read_u8().await.map_err(Close::PartnerGone)?);
    }
    Ok(words(&line))
}

fn words(line: &[u8]) -> Result<Source, Malformed> {
    const WRONG: Malformed = Malformed("its line is malformed");
    let text = std::str::from_utf8(line).map_err(|_| WRONG)?.strip_suffix("\r\n").ok_or(WRONG)?;
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Ok(Source::Balancer),
        ["PROXY", family @ ("TCP4" | "TCP6"), from, to, port, to_port] => {
            let [from, to] = [from, to].map(|address| address.parse::<IpAddr>().map_err(|_| WRONG));
            let [port, to_port] = [port, to_port].map(|port| port.parse::<u16>().map_err(|_| WRONG));
            let (from, is_ipv4) = (from?, *family == "TCP4");
            to_port?;
            if from.is_ipv4() != is_ipv4 || to?.is_ipv4() != is_ipv4 {
                return Err(WRONG);
            }
            Ok(client(from, port?))
        }
        _ => Err(WRONG),
    }
}

/// One address has one form, whichever way it came.
fn client(address: IpAddr, port: u16) -> Source {
    Source::Client(SocketAddr::new(address.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BALANCER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 5);

    /// Where it comes from, or the label of its end; and what is left to read.
    fn read(bytes: &[u8]) -> (Result<String, &'static str>, Vec<u8>) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let source = runtime.block_on(source(&mut rest, BALANCER, Duration::from_mins(1)));
        (source.map(|from| from.to_string()).map_err(|close| close.label()), rest.to_vec())
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn the_client_is_who_the_header_says_and_what_follows_is_left() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
        let with_more = [&v4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (v6[15], v6[33]) = (9, 7);
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 7]);
        for (header, from) in [
            (v2(0x21, 0x11, &v4), "192.0.2.7:4660"),
            (v2(0x21, 0x11, &with_more), "192.0.2.7:4660"),
            (v2(0x21, 0x21, &v6), "[2001:db8::9]:7"),
            (v2(0x21, 0x21, &mapped), "192.0.2.7:0"),
            (v2(0x20, 0x00, &[]), "10.0.0.1:5"),
            (v2(0x20, 0x11, &v4), "10.0.0.1:5"),
            (v2(0x21, 0x00, &[]), "10.0.0.1:5"),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(), "192.0.2.7:4660"),
            (b"PROXY TCP6 2001:db8::9 ::1 7 80\r\n".to_vec(), "[2001:db8::9]:7"),
            (b"PROXY UNKNOWN\r\n".to_vec(), "10.0.0.1:5"),
            (b"PROXY UNKNOWN ffff:: ffff:: 1 1\r\n".to_vec(), "10.0.0.1:5"),
        ] {
            assert_eq!(read(&[&header, &b"rest"[..]].concat()), (Ok(from.to_owned()), b"rest".to_vec()));
        }
    }

    #[test]
    fn what_is_no_header_ends_the_connection() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for bad in [
            b"\0\0\0\x1b\0\x12\0\0\0\0\0\x01\0\x01x".to_vec(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80 1\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::9 ::1 7 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 70000 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\n...............\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(),
            long.into_bytes(),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x21, &[0; 35]),
            v2(0x21, 0x12, &[0; 12]),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x11, 0x11, &[0; 12]),
            v2(0x22, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; LONGEST_REST + 1]),
        ] {
            assert_eq!(read(&bad).0, Err("proxy_header"), "{}", bad.escape_ascii());
        }
        assert_eq!(read(b"").0, Err("partner_done"), "somebody only looked whether the port is open");
        assert_eq!(read(b"PROXY TCP4 192").0, Err("partner_gone"));
    }

    #[tokio::test]
    async fn a_header_that_does_not_come_is_not_waited_for() {
        let (_far, mut near) = tokio::io::duplex(64);
        assert!(matches!(
            source(&mut near, BALANCER, Duration::from_millis(1)).await,
            Err(Close::ProxyHeader(_))
        ));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, line in "(PROXY TCP4 )?[0-9. \r\n]{0,120}") {
            let _ = words(&bytes);
            let _ = words(line.as_bytes());
            let _ = addresses(*bytes.first().unwrap_or(&0x21), 0x11, &bytes);
        }
    }
}
