//! Frames: the length in front, request headers v1 and v2, response headers v0 and v1.
//!
//! Works on bytes as they arrive; `Ok(None)` means that more are needed. Knows no list of API keys: whether a version is
//! flexible is asked of the caller, so that an unknown key is the caller's to refuse.

use bytes::BufMut;
use thiserror::Error;

use super::primitive::{put_varint, read_i16, read_i32, read_varint};
use super::shape::Shape;
use super::walker::WalkError;

/// Bytes of the length in front of a frame.
pub const LENGTH_PREFIX: usize = 4;
/// API key, version and correlation id: the shortest request header there ever was.
const FIXED_HEADER: usize = 8;
/// Tagged fields of a header, and bytes of each. Kafka has never defined one.
const HEADER_TAGS: u32 = 16;
const HEADER_TAG_BYTES: usize = 1024;

/// Why a frame cannot be read. Closed: each is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("the frame's length is negative ({0})")]
    NegativeLength(i32),
    #[error("the frame of {0} bytes is too short for a header")]
    TooShort(usize),
    #[error("the frame of {len} bytes is larger than the limit of {limit}")]
    TooLong { len: usize, limit: usize },
    #[error("the header reaches beyond the end of the frame")]
    Header,
    #[error("the client id is not a valid string")]
    ClientId,
    #[error("the header's tagged fields do not parse: {0}")]
    Tags(#[from] WalkError),
}

/// Bytes of the frame behind this length prefix: at most `limit`, and enough for the shortest header of its direction.
pub fn request_length(prefix: [u8; LENGTH_PREFIX], limit: usize) -> Result<usize, FrameError> {
    length(prefix, FIXED_HEADER, limit)
}

/// As [`request_length`], for a response.
pub fn response_length(prefix: [u8; LENGTH_PREFIX], limit: usize) -> Result<usize, FrameError> {
    length(prefix, 4, limit)
}

fn length(prefix: [u8; LENGTH_PREFIX], least: usize, limit: usize) -> Result<usize, FrameError> {
    let signed = i32::from_be_bytes(prefix);
    let len = usize::try_from(signed).map_err(|_| FrameError::NegativeLength(signed))?;
    match len {
        len if len < least => Err(FrameError::TooShort(len)),
        len if len > limit => Err(FrameError::TooLong { len, limit }),
        len => Ok(len),
    }
}

/// Who asks for what. Tagged fields of a header are read past and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    pub api_key: i16,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads the header at the start of a frame of `frame_len` bytes; answers it and where the body starts.
    ///
    /// `is_flexible` tells for (API key, version) whether tagged fields follow (header v2).
    pub fn read(
        unread: &[u8],
        frame_len: usize,
        is_flexible: impl FnOnce(i16, i16) -> bool,
    ) -> Result<Option<(Self, usize)>, FrameError> {
        let frame = unread.get(..frame_len).unwrap_or(unread);
        let complete = frame.len() == frame_len;
        let missing = if complete { Err(FrameError::Header) } else { Ok(None) };
        let field = |at: usize| frame.get(at..).unwrap_or_default();
        let (Some(api_key), Some(version), Some(correlation_id), Some(id_len)) =
            (read_i16(field(0)), read_i16(field(2)), read_i32(field(4)), read_i16(field(8)))
        else {
            return missing;
        };
        let mut at = FIXED_HEADER + 2;
        let client_id = match id_len {
            -1 => None,
            len => {
                let len = usize::try_from(len).map_err(|_| FrameError::ClientId)?;
                if at + len > frame_len {
                    return Err(FrameError::Header);
                }
                let Some(id) = frame.get(at..at + len) else { return missing };
                at += len;
                Some(std::str::from_utf8(id).map_err(|_| FrameError::ClientId)?.to_owned())
            }
        };
        if is_flexible(api_key, version) {
            match tags_len(field(at))? {
                Some(len) => at += len,
                None => return missing,
            }
        }
        Ok(Some((Self { api_key, version, correlation_id, client_id }, at)))
    }

    /// Appends length prefix and header of a request whose body of `body_len` bytes the caller appends.
    pub fn put(&self, out: &mut impl BufMut, flexible: bool, body_len: usize) -> Result<(), FrameError> {
        let id = self.client_id.as_deref();
        let id_len = id.map_or(Ok(-1), |id| i16::try_from(id.len())).map_err(|_| FrameError::ClientId)?;
        let len = FIXED_HEADER + 2 + id.map_or(0, str::len) + usize::from(flexible) + body_len;
        out.put_i32(i32::try_from(len).map_err(|_| FrameError::TooLong { len, limit: MAX_FRAME })?);
        out.put_i16(self.api_key);
        out.put_i16(self.version);
        out.put_i32(self.correlation_id);
        out.put_i16(id_len);
        out.put_slice(id.unwrap_or_default().as_bytes());
        if flexible {
            put_varint(out, 0);
        }
        Ok(())
    }
}

/// The most a length prefix can say.
const MAX_FRAME: usize = 0x7fff_ffff;

/// The header of responses to one (API key, version).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseHeader {
    /// The correlation id alone.
    V0,
    /// With tagged fields.
    V1,
}

impl ResponseHeader {
    /// ApiVersions always has v0: a client reads it before it knows what the broker speaks (KIP-511).
    pub fn of(response: &Shape, version: i16) -> Self {
        const API_VERSIONS: i16 = 18;
        if response.is_flexible(version) && response.api_key != API_VERSIONS { Self::V1 } else { Self::V0 }
    }

    /// Reads the header at the start of a frame of `frame_len` bytes; answers the correlation id and where the body starts.
    pub fn read(self, unread: &[u8], frame_len: usize) -> Result<Option<(i32, usize)>, FrameError> {
        let frame = unread.get(..frame_len).unwrap_or(unread);
        let missing = if frame.len() == frame_len { Err(FrameError::Header) } else { Ok(None) };
        let Some(correlation_id) = read_i32(frame) else { return missing };
        match self {
            Self::V0 => Ok(Some((correlation_id, 4))),
            Self::V1 => match tags_len(frame.get(4..).unwrap_or_default())? {
                Some(len) => Ok(Some((correlation_id, 4 + len))),
                None => missing,
            },
        }
    }

    /// Appends length prefix and header of a response whose body of `body_len` bytes the caller appends.
    pub fn put(self, out: &mut impl BufMut, correlation_id: i32, body_len: usize) -> Result<(), FrameError> {
        let len = 4 + usize::from(self == Self::V1) + body_len;
        out.put_i32(i32::try_from(len).map_err(|_| FrameError::TooLong { len, limit: MAX_FRAME })?);
        out.put_i32(correlation_id);
        if self == Self::V1 {
            put_varint(out, 0);
        }
        Ok(())
    }
}

/// How many bytes a header's tagged fields take.
fn tags_len(bytes: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some((count, mut at)) = read_varint(bytes)? else { return Ok(None) };
    if count > HEADER_TAGS {
        return Err(WalkError::TooManyTaggedFields.into());
    }
    let mut lowest = 0;
    for _ in 0..count {
        let Some((tag, tag_len)) = read_varint(bytes.get(at..).unwrap_or_default())? else { return Ok(None) };
        at += tag_len;
        let Some((size, size_len)) = read_varint(bytes.get(at..).unwrap_or_default())? else {
            return Ok(None);
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if tag < lowest {
            return Err(WalkError::TagOrder.into());
        }
        if size > HEADER_TAG_BYTES {
            return Err(WalkError::TaggedFieldTooLarge.into());
        }
        lowest = tag.saturating_add(1);
        at += size_len + size;
    }
    Ok(if at <= bytes.len() { Some(at) } else { None })
}

#[cfg(test)]
mod tests;
