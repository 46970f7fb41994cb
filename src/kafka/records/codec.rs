//! What the records of a batch are compressed with: the formats of Kafka's own clients, and never more bytes out than asked for.

use std::borrow::Cow;
use std::fmt;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use zstd_safe::zstd_sys::ZSTD_ErrorCode;

use super::RecordsError;

/// The compression of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Why bytes did not come out.
enum Failed {
    Damaged,
    /// There are more of them than asked for.
    Excess,
}

impl Codec {
    /// The codec of this number in a batch's attributes.
    pub(super) fn numbered(number: u16) -> Result<Self, RecordsError> {
        Ok(match number {
            0 => Self::None,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => return Err(RecordsError::UnknownCodec(other.to_le_bytes()[0])),
        })
    }

    /// Its number in a batch's attributes.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// What a decoder of such bytes sets aside before any come out.
    pub(super) fn set_aside(self, bytes: &[u8]) -> usize {
        if self == Self::Lz4 { lz4_block(bytes) } else { 0 }
    }

    /// At most `limit` bytes; `excess` is the error if there are more.
    pub(super) fn decompress(
        self,
        bytes: &[u8],
        limit: usize,
        excess: RecordsError,
    ) -> Result<Cow<'_, [u8]>, RecordsError> {
        let plain = match self {
            Self::None if bytes.len() > limit => Err(Failed::Excess),
            Self::None => return Ok(Cow::Borrowed(bytes)),
            Self::Gzip => read_all(MultiGzDecoder::new(bytes), limit),
            Self::Snappy => snappy(bytes, limit),
            Self::Lz4 => read_all(FrameDecoder::new(bytes), limit),
            Self::Zstd => zstd(bytes, limit),
        };
        plain.map(Cow::Owned).map_err(|failed| match failed {
            Failed::Damaged => RecordsError::Compression(self),
            Failed::Excess => excess,
        })
    }

    /// As Kafka's own clients write it by default; `like` is what the batch had before, where there are two ways; empty, if it is new.
    pub(super) fn compress<'a>(self, plain: &'a [u8], like: &[u8]) -> Result<Cow<'a, [u8]>, RecordsError> {
        let compressed = match self {
            Self::None => return Ok(Cow::Borrowed(plain)),
            Self::Gzip => gzipped(plain),
            Self::Snappy if like.is_empty() || like.starts_with(XERIAL) => xerial_compressed(plain),
            Self::Snappy => snap::raw::Encoder::new().compress_vec(plain).ok(),
            Self::Lz4 => lz4_compressed(plain),
            Self::Zstd => zstd_compressed(plain),
        };
        compressed.map(Cow::Owned).ok_or(RecordsError::Compression(self))
    }
}

/// What is first set aside for bytes that are not known to be so many.
const FIRST: usize = 64 << 10;

fn read_all(from: impl Read, limit: usize) -> Result<Vec<u8>, Failed> {
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut plain).map_err(|_| Failed::Damaged)?;
    if plain.len() > limit { Err(Failed::Excess) } else { Ok(plain) }
}

fn gzipped(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::default());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

/// The magic of the Java library's framing. librdkafka writes a single block without it, and everybody reads both.
const XERIAL: &[u8] = b"\x82SNAPPY\0";
/// The magic, a version and the oldest compatible one.
const XERIAL_HEADER: usize = 16;
/// What the Java library puts in one block.
const XERIAL_BLOCK: usize = 32 << 10;
/// How often its compressed size a block can become, rounded up: a copy of 64 bytes takes three.
const SNAPPY_RATIO: usize = 22;

fn snappy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Failed> {
    let mut plain = Vec::new();
    if !bytes.starts_with(XERIAL) {
        snappy_block(bytes, limit, &mut plain)?;
        return Ok(plain);
    }
    let mut rest = bytes.get(XERIAL_HEADER..).ok_or(Failed::Damaged)?;
    while !rest.is_empty() {
        let (len, behind) = rest.split_first_chunk().ok_or(Failed::Damaged)?;
        let len = usize::try_from(i32::from_be_bytes(*len)).map_err(|_| Failed::Damaged)?;
        let (block, behind) = behind.split_at_checked(len).ok_or(Failed::Damaged)?;
        snappy_block(block, limit, &mut plain)?;
        rest = behind;
    }
    Ok(plain)
}

/// Appends a block, which says in front how long it becomes. So much is set aside for it first, so it is held against what it could
/// become.
fn snappy_block(block: &[u8], limit: usize, plain: &mut Vec<u8>) -> Result<(), Failed> {
    let (before, len) = (plain.len(), snap::raw::decompress_len(block).map_err(|_| Failed::Damaged)?);
    if len > block.len().saturating_mul(SNAPPY_RATIO) {
        return Err(Failed::Damaged);
    }
    if len > limit.saturating_sub(before) {
        return Err(Failed::Excess);
    }
    plain.resize(before + len, 0);
    let out = plain.get_mut(before..).unwrap_or_default();
    let written = snap::raw::Decoder::new().decompress(block, out).map_err(|_| Failed::Damaged)?;
    if written == len { Ok(()) } else { Err(Failed::Damaged) }
}

fn xerial_compressed(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(plain.len() / 2 + XERIAL_HEADER);
    out.extend_from_slice(XERIAL);
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(XERIAL_BLOCK) {
        let block = encoder.compress_vec(block).ok()?;
        out.extend_from_slice(&i32::try_from(block.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&block);
    }
    Some(out)
}

/// Blocks that do not depend on each other: the Java client refuses any other.
fn lz4_compressed(plain: &[u8]) -> Option<Vec<u8>> {
    let frame = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::with_capacity(plain.len() / 2));
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

/// The magic of LZ4 frames; the byte behind the next one says how large their blocks are.
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];

/// What the decoder fills with zeros for the first block. The largest there is, if it is not said in this way.
fn lz4_block(bytes: &[u8]) -> usize {
    let said = bytes.strip_prefix(LZ4).and_then(|rest| rest.get(1)).map(|byte| (byte >> 4) & 7);
    match said {
        Some(4) => 64 << 10,
        Some(5) => 256 << 10,
        Some(6) => 1 << 20,
        _ => 8 << 20,
    }
}

/// In one go, into what is here anyway: a stream would first allocate the window that its header asks for, up to 128 MiB.
fn zstd(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Failed> {
    let said = zstd_safe::get_frame_content_size(bytes).map_err(|_| Failed::Damaged)?;
    let said = said.and_then(|said| usize::try_from(said).ok());
    let mut capacity = said.unwrap_or_else(|| bytes.len().saturating_mul(8).max(FIRST)).min(limit);
    loop {
        let mut plain = Vec::with_capacity(capacity);
        let Err(code) = zstd_safe::decompress(&mut plain, bytes) else { return Ok(plain) };
        if !zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) {
            return Err(Failed::Damaged);
        }
        if capacity >= limit {
            return Err(Failed::Excess);
        }
        capacity = capacity.saturating_mul(4).max(FIRST).min(limit);
    }
}

fn zstd_compressed(plain: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
    zstd_safe::compress(&mut out, plain, zstd_safe::CLEVEL_DEFAULT).ok()?;
    Some(out)
}
