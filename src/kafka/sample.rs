//! Test support: random bodies made from a shape, and the proof that a shape and `kafka-protocol` agree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

use std::fmt::Debug;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::codec;
#[cfg(test)]
pub(crate) use super::control_shapes::FETCH_RESPONSE;
use super::primitive::put_varint;
use super::shape::{Entity, Field, Shape, Type, Versions};
use super::walker::{WalkError, walk};

/// A body that `shape` allows at `version`; the same seed gives the same bytes.
///
/// Values differ from every default, so that an encoder has no reason to leave a tagged field out.
pub(crate) fn body(shape: &Shape, version: i16, seed: u64) -> Vec<u8> {
    body_of(&Vocabulary::default(), shape, version, seed)
}

/// Words that mean something to the reader of a body, used now and then instead of random ones.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) names: Vec<String>,
    pub(crate) ids: Vec<Uuid>,
}

/// As [`body`], in these words.
pub(crate) fn body_of(words: &Vocabulary, shape: &Shape, version: i16, seed: u64) -> Vec<u8> {
    let mut sampler =
        Sampler { words, random: StdRng::seed_from_u64(seed), version, flexible: shape.is_flexible(version) };
    let mut out = Vec::new();
    sampler.fields(shape.fields, &mut out);
    out
}

/// Shows that whatever `shape` allows, `M` decodes to the last byte and encodes to the same bytes, and that no prefix
/// and no extension of it is accepted.
pub(crate) fn assert_agreement<M: Decodable + Encodable + Debug>(shape: &'static Shape, version: i16) {
    for seed in 0..40 {
        let bytes = Bytes::from(body(shape, version, seed));
        let context = format!("{} v{version}, seed {seed}: {bytes:02x?}", shape.name);
        let message: M =
            codec::decode(shape, version, bytes.clone()).unwrap_or_else(|e| panic!("{e}: {context}"));
        let mut encoded = BytesMut::new();
        message.encode(&mut encoded, version).unwrap_or_else(|e| panic!("{e}: {context}"));
        assert_eq!(encoded, bytes, "{message:?}: {context}");
        for cut in 0..bytes.len() {
            walk(shape, version, &bytes[..cut]).expect_err(&context);
        }
        let extended = [&bytes[..], &[0]].concat();
        assert_eq!(walk(shape, version, &extended), Err(WalkError::TrailingBytes), "{context}");
    }
}

/// Shows that no length or count in a body can be overwritten so that decoding it allocates what the wire claims:
/// `kafka-protocol` alone would abort this process on it.
pub(crate) fn assert_hostile_lengths_are_harmless<M: Decodable>(shape: &'static Shape, version: i16) {
    const CLAIMS: [&[u8]; 3] = [&[0x7f, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xff, 0x07], &[0x7f, 0xff]];
    for seed in 0..6 {
        let valid = body(shape, version, seed);
        for (claim, at) in CLAIMS.iter().flat_map(|claim| (0..valid.len()).map(move |at| (claim, at))) {
            let mut hostile = valid.clone();
            let end = hostile.len().min(at + claim.len());
            hostile[at..end].copy_from_slice(&claim[..end - at]);
            // Decoded or refused; what counts is that this line is left.
            let _ = codec::decode::<M>(shape, version, hostile.into());
        }
    }
}

struct Sampler<'a> {
    words: &'a Vocabulary,
    random: StdRng,
    version: i16,
    flexible: bool,
}

impl Sampler<'_> {
    fn fields(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version)) {
            let null = field.nullable.contains(version) && self.random.random_bool(0.2);
            self.value(field, &field.kind, null, out);
        }
        if self.flexible {
            self.tagged(fields, out);
        }
    }

    fn tagged(&mut self, fields: &[Field], out: &mut Vec<u8>) {
        let mut present: Vec<(u32, &Field)> = fields
            .iter()
            .filter_map(|field| Some((field.tag?, field)))
            .filter(|(_, field)| field.versions.contains(self.version))
            .collect();
        present.retain(|_| self.random.random_bool(0.7));
        present.sort_by_key(|(tag, _)| *tag);
        put_varint(out, u32::try_from(present.len()).unwrap());
        for (tag, field) in present {
            let mut content = Vec::new();
            self.value(field, &field.kind, false, &mut content);
            put_varint(out, tag);
            put_varint(out, u32::try_from(content.len()).unwrap());
            out.extend(content);
        }
    }

    fn value(&mut self, field: &Field, kind: &Type, null: bool, out: &mut Vec<u8>) {
        let nullable = field.nullable.contains(self.version);
        match kind {
            Type::Bool => out.put_u8(1),
            Type::Int8 => out.put_i8(self.random.random_range(2..100)),
            Type::Int16 => out.put_i16(self.random.random_range(2..100)),
            Type::Int32 => out.put_i32(self.random.random_range(2..100_000)),
            Type::Int64 => out.put_i64(self.random.random_range(2..1_000_000)),
            Type::Uuid => {
                let random = Uuid::from_u128(self.random.random_range(2..u128::MAX));
                let known = self.words.ids.choose(&mut self.random).filter(|_| self.random.random_bool(0.8));
                out.extend(known.unwrap_or(&random).as_bytes());
            }
            Type::Struct(_) if null => out.put_i8(-1),
            Type::Struct(fields) => {
                if nullable && matches!(field.kind, Type::Struct(_)) {
                    out.put_i8(1);
                }
                self.fields(fields, out);
            }
            Type::String => {
                let text: String = (0..self.random.random_range(1..12))
                    .map(|_| self.random.random_range('a'..='z'))
                    .collect();
                let known =
                    self.words.names.choose(&mut self.random).filter(|_| self.random.random_bool(0.8));
                let text = known.unwrap_or(&text);
                self.length((!null).then_some(text.len()), 2, out);
                out.extend(if null { "" } else { text }.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let len = self.random.random_range(1..300);
                self.length((!null).then_some(len), 4, out);
                out.extend((0..if null { 0 } else { len }).map(|_| self.random.random::<u8>()));
            }
            Type::Array(element) => {
                // Never empty among tagged fields: an encoder would leave it out.
                let count = self.random.random_range(usize::from(field.tag.is_some())..4);
                self.length((!null).then_some(count), 4, out);
                for _ in 0..if null { 0 } else { count } {
                    self.value(field, element, false, out);
                }
            }
        }
    }

    fn length(&self, len: Option<usize>, width: usize, out: &mut Vec<u8>) {
        if self.flexible {
            put_varint(out, len.map_or(0, |len| u32::try_from(len).unwrap() + 1));
        } else if width == 2 {
            out.put_i16(len.map_or(-1, |len| i16::try_from(len).unwrap()));
        } else {
            out.put_i32(len.map_or(-1, |len| i32::try_from(len).unwrap()));
        }
    }
}

/// Produce requests, for tests of this ring; the served shapes live in the gateway's registry.
#[rustfmt::skip]
pub(crate) static PRODUCE_REQUEST: Shape = Shape {
    api_key: 0,
    name: "ProduceRequest",
    versions: Versions::new(3, 13),
    flexible_since: 9,
    fields: &[
        Field::new("transactionalId", Type::String).nullable_since(3).entity(Entity::TransactionalId),
        Field::new("acks", Type::Int16).entity(Entity::Acks),
        Field::new("timeoutMs", Type::Int32),
        Field::new("topicData", Type::Array(&Type::Struct(&[
            Field::new("name", Type::String).until(12).entity(Entity::TopicName),
            Field::new("topicId", Type::Uuid).since(13).entity(Entity::TopicId),
            Field::new("partitionData", Type::Array(&Type::Struct(&[
                Field::new("index", Type::Int32).entity(Entity::PartitionIndex),
                Field::new("records", Type::Records).nullable_since(0),
            ]))),
        ]))),
    ],
};
