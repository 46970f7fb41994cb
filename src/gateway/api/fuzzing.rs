//! What the fuzzer feeds: whole exchanges through the handlers, and large bodies through the editors that let them pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests and fuzzing only"
)]

use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use uuid::Uuid;

use super::fixture::Partner;
use super::invariants::{hold, ours, partner, theirs};
use super::{Entry, REGISTRY, fetch, produce};
use crate::kafka::sample;
use crate::kafka::shape::Shape;
use crate::kafka::stream::{OneTopicHead, ResponseIdSwap, StreamError};

/// Exchanges of one connection, one behind the other: row, version, lengths, the request's body, the response's.
pub fn exchanges(mut data: &[u8]) {
    /// The views are built once; what a connection remembers starts anew with each input.
    static PARTNER: LazyLock<Mutex<Partner>> = LazyLock::new(|| partner().into());
    let mut partner = PARTNER.lock().unwrap();
    partner.memory = Mutex::default();
    while let Some((entry, version, request, response, rest)) = next(data) {
        hold(&partner, entry, version, &request, &response);
        data = rest;
    }
}

fn next(data: &[u8]) -> Option<(&'static Entry, i16, Bytes, Bytes, &[u8])> {
    let (head, rest) = data.split_first_chunk::<6>()?;
    let entry = &REGISTRY[usize::from(head[0]) % REGISTRY.len()];
    let count = entry.versions.last - entry.versions.first + 1;
    let version = entry.versions.first + i16::from(head[1]) % count;
    let len = |at: usize, most: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]])).min(most);
    let (request, rest) = rest.split_at(len(2, rest.len()));
    let (response, rest) = rest.split_at(len(4, rest.len()));
    Some((entry, version, Bytes::copy_from_slice(request), Bytes::copy_from_slice(response), rest))
}

/// A large Produce request or Fetch response: what passes, and whether it passes, must not depend on how it is cut.
pub fn streams(data: &[u8]) {
    let Some((&[which, version, cut], body)) = data.split_first_chunk::<3>() else { return };
    let cut = usize::from(cut) + 1;
    if which % 2 == 0 {
        let version = 3 + i16::from(version % 11);
        assert_eq!(produced(version, body, body.len().max(1)), produced(version, body, cut));
    } else {
        let version = 13 + i16::from(version % 6);
        assert_eq!(fetched(version, body, body.len().max(1)), fetched(version, body, cut));
    }
}

type Passed = Result<Vec<u8>, StreamError>;

fn produced(version: i16, body: &[u8], cut: usize) -> Passed {
    let mut seen = 0;
    let (head, mut tail) = loop {
        if let Some(read) = OneTopicHead::read(&produce::REQUEST, version, body.len(), &body[..seen])? {
            break read;
        }
        if seen == body.len() {
            return Ok(Vec::new());
        }
        seen = (seen + cut).min(body.len());
    };
    pass(&body[head.len..], cut, |chunk| tail.push(chunk))
}

fn fetched(version: i16, body: &[u8], cut: usize) -> Passed {
    let shown = |id: Uuid| (!id.is_nil()).then(|| Uuid::from_u128(!id.as_u128()));
    let mut editor = ResponseIdSwap::new(&fetch::RESPONSE, version, body.len());
    pass(body, cut, |chunk| editor.push(chunk, shown, |_, _| {}))
}

/// Gives `edit` so many more bytes at a time, and keeps what it lets pass. An error counts, but not how far it came.
fn pass(body: &[u8], cut: usize, mut edit: impl FnMut(&mut [u8]) -> Result<usize, StreamError>) -> Passed {
    let (mut waiting, mut out, mut rest) = (Vec::new(), Vec::new(), body);
    loop {
        let ready = edit(&mut waiting)?;
        out.extend(waiting.drain(..ready));
        if ready == 0 && rest.is_empty() {
            return Ok(out);
        }
        let (more, left) = rest.split_at(cut.min(rest.len()));
        waiting.extend_from_slice(more);
        rest = left;
    }
}

/// Inputs for [`streams`] that parse.
pub fn stream_seeds() -> Vec<Vec<u8>> {
    let of = |which: u8, shape: &'static Shape, first: i16, last: i16| {
        (0_u8..).zip(first..=last).flat_map(move |(offset, version)| {
            (0..5).map(move |seed| [&[which, offset, 6][..], &sample::body(shape, version, seed)].concat())
        })
    };
    of(0, &produce::REQUEST, 3, 13).chain(of(1, &fetch::RESPONSE, 13, 18)).collect()
}

/// Inputs for [`exchanges`] that parse: every row at every version, in the words of the zone and of its cluster.
pub fn seeds() -> Vec<Vec<u8>> {
    let partner = partner();
    let (theirs, ours) = (theirs(&partner), ours(&partner));
    let mut all = Vec::new();
    for (row, entry) in (0_u8..).zip(REGISTRY) {
        for (offset, version) in (0_u8..).zip(entry.versions.first..=entry.versions.last) {
            for seed in 0..3 {
                let request = sample::body_of(&theirs, entry.request, version, seed);
                let response = sample::body_of(&ours, entry.response, version, seed + 1);
                let (Ok(asked), Ok(answered)) = (u16::try_from(request.len()), u16::try_from(response.len()))
                else {
                    continue;
                };
                let head = [[row, offset], asked.to_be_bytes(), answered.to_be_bytes()].concat();
                all.push([head, request, response].concat());
            }
        }
    }
    all
}
