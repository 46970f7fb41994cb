//! Reading one atom: a plain value, a length, a count, the number and size of a tagged field.
//!
//! Nothing here moves the walker's position or its stack, so an atom that lacks bytes is simply read again.

use super::{Event, Frame, WalkError, Walker};
use crate::kafka::primitive::{read_i16, read_i32, read_varint};
use crate::kafka::shape::{Field, Type};

/// The longest string Kafka writes; its readers refuse a longer one in compact form too.
const MAX_STRING: usize = 0x7fff;

/// The outcome of reading one atom.
pub(super) enum Step {
    /// This many bytes need no attention.
    Quiet(usize),
    Show(Event),
    /// The atom takes this many bytes (at least).
    Starved(usize),
}

/// An atom, and what is inside it.
pub(super) struct Read {
    pub(super) step: Step,
    pub(super) inside: Option<Frame>,
}

impl Read {
    pub(super) fn quiet(len: usize) -> Self {
        Self { step: Step::Quiet(len), inside: None }
    }

    fn show(event: Event) -> Self {
        Self { step: Step::Show(event), inside: None }
    }

    fn starved(needed: usize) -> Self {
        Self { step: Step::Starved(needed), inside: None }
    }

    pub(super) fn containing(mut self, inside: Frame) -> Self {
        self.inside = Some(inside);
        self
    }
}

/// A length prefix: how long it is itself, and the length it gives (`None`: null).
enum Prefix {
    Starved(usize),
    Length { prefix: usize, length: Option<usize> },
}

impl Walker {
    pub(super) fn fields(
        &mut self,
        fields: &'static [Field],
        next: usize,
        unread: &[u8],
    ) -> Result<(Read, Option<Frame>), WalkError> {
        let (passed, len) = self.numbers(fields, next, unread.len());
        if len > 0 {
            return Ok((Read::quiet(len), Some(Frame::Fields { fields, next: passed })));
        }
        let Some((index, field)) =
            fields.iter().enumerate().skip(next).find(|(_, field)| self.is_plain(field))
        else {
            return Ok((Read::quiet(0), self.flexible.then_some(Frame::TagCount { fields })));
        };
        Ok((self.field(field, unread)?, Some(Frame::Fields { fields, next: index + 1 })))
    }

    /// Whether a field stands in this version's message, and not among its tagged fields.
    fn is_plain(&self, field: &Field) -> bool {
        field.tag.is_none() && field.versions.contains(self.version)
    }

    /// The numbers from `next` on that are all here and need no attention: where they end among the fields, and their bytes.
    fn numbers(&self, fields: &'static [Field], next: usize, available: usize) -> (usize, usize) {
        let available = available.min(self.remaining());
        let (mut passed, mut len) = (next, 0);
        for field in fields.get(next..).unwrap_or_default() {
            if self.is_plain(field) {
                match fixed_size(&field.kind) {
                    Some(size) if field.entity.is_none() && len + size <= available => len += size,
                    _ => break,
                }
            }
            passed += 1;
        }
        (passed, len)
    }

    pub(super) fn field(&mut self, field: &'static Field, unread: &[u8]) -> Result<Read, WalkError> {
        self.value(field, &field.kind, field.nullable.contains(self.version), unread)
    }

    pub(super) fn value(
        &mut self,
        field: &'static Field,
        kind: &'static Type,
        nullable: bool,
        unread: &[u8],
    ) -> Result<Read, WalkError> {
        match kind {
            Type::Struct(fields) => self.nested(fields, nullable, unread),
            Type::Array(element) => self.array(field, element, nullable, unread),
            Type::String | Type::Bytes | Type::Records => self.sized(field, kind, nullable, unread),
            Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Uuid => {
                let len = fixed_size(kind).unwrap_or_default();
                if len > self.remaining() {
                    return Err(WalkError::Truncated);
                }
                Ok(if unread.len() < len {
                    Read::starved(len)
                } else if field.entity.is_some() {
                    Read::show(Event::Entity { field, len, value: Some(0..len) })
                } else {
                    Read::quiet(len)
                })
            }
        }
    }

    fn nested(&self, fields: &'static [Field], nullable: bool, unread: &[u8]) -> Result<Read, WalkError> {
        let inside = Frame::Fields { fields, next: 0 };
        if !nullable {
            return Ok(Read::quiet(0).containing(inside));
        }
        // A nullable struct has a byte in front: -1 is null, 1 is not. Of others each reader has its own opinion, and whoever
        // decodes behind the walker must not read another layout than it did.
        if self.remaining() == 0 {
            return Err(WalkError::Truncated);
        }
        match unread.first() {
            None => Ok(Read::starved(1)),
            Some(0xff) => Ok(Read::quiet(1)),
            Some(1) => Ok(Read::quiet(1).containing(inside)),
            Some(_) => Err(WalkError::Presence),
        }
    }

    fn array(
        &mut self,
        field: &'static Field,
        element: &'static Type,
        nullable: bool,
        unread: &[u8],
    ) -> Result<Read, WalkError> {
        let (len, length) = match self.prefix(4, unread)? {
            Prefix::Starved(needed) => return Ok(Read::starved(needed)),
            Prefix::Length { prefix, length } => (prefix, length),
        };
        let Some(length) = length else {
            return if nullable {
                Ok(Read::show(Event::Array { field, len, count: None }))
            } else {
                Err(WalkError::UnexpectedNull)
            };
        };
        // Holds even where an element takes no bytes at all: none of ours does, and a count is never free.
        let smallest = self.smallest(element).max(1);
        let count = u32::try_from(length).map_err(|_| WalkError::BeyondEnd)?;
        if length > (self.remaining() - len) / smallest {
            return Err(WalkError::BeyondEnd);
        }
        let read = Read::show(Event::Array { field, len, count: Some(count) });
        if field.entity.is_none() && fixed_size(element).is_some() {
            (self.skip, self.payload) = (length * smallest, false);
            return Ok(read);
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > self.limits.elements {
            return Err(WalkError::TooManyElements);
        }
        Ok(read.containing(Frame::Elements { field, kind: element, left: count }))
    }

    fn sized(
        &mut self,
        field: &'static Field,
        kind: &Type,
        nullable: bool,
        unread: &[u8],
    ) -> Result<Read, WalkError> {
        let is_string = matches!(kind, Type::String);
        let is_records = matches!(kind, Type::Records);
        let (prefix, length) = match self.prefix(if is_string { 2 } else { 4 }, unread)? {
            Prefix::Starved(needed) => return Ok(Read::starved(needed)),
            Prefix::Length { prefix, length } => (prefix, length),
        };
        if length.is_none() && !nullable {
            return Err(WalkError::UnexpectedNull);
        }
        let size = length.unwrap_or(0);
        if size > self.remaining() - prefix {
            return Err(WalkError::BeyondEnd);
        }
        if is_string && size > MAX_STRING {
            return Err(WalkError::StringTooLong);
        }
        if field.entity.is_some() && !is_records {
            if size > self.limits.entity_bytes {
                return Err(WalkError::EntityTooLarge);
            }
            let len = prefix + size;
            let value = length.map(|_| prefix..len);
            return Ok(if unread.len() < len {
                Read::starved(len)
            } else {
                Read::show(Event::Entity { field, len, value })
            });
        }
        (self.skip, self.payload) = (size, is_records);
        Ok(if is_records {
            Read::show(Event::Records { field, len: prefix, size: length })
        } else {
            Read::quiet(prefix)
        })
    }

    pub(super) fn tag_count(&mut self, fields: &'static [Field], unread: &[u8]) -> Result<Read, WalkError> {
        let Some((count, len)) = self.varint(unread)? else { return Ok(Read::starved(unread.len() + 1)) };
        if count > self.limits.tagged_fields {
            return Err(WalkError::TooManyTaggedFields);
        }
        Ok(Read::quiet(len).containing(Frame::Tags { fields, left: count, lowest: 0 }))
    }

    pub(super) fn tag(
        &mut self,
        fields: &'static [Field],
        following: u32,
        lowest: u32,
        unread: &[u8],
    ) -> Result<(Read, Option<Frame>), WalkError> {
        let starved = Ok((Read::starved(unread.len() + 1), None));
        let Some((tag, tag_len)) = self.varint(unread)? else { return starved };
        let behind = unread.get(tag_len..).unwrap_or_default();
        let room = self.remaining() - tag_len;
        let Some((size, size_len)) = read_within(behind, room)? else { return starved };
        let size = usize::try_from(size).map_err(|_| WalkError::BeyondEnd)?;
        if tag < lowest || tag > i32::MAX.cast_unsigned() {
            return Err(WalkError::TagOrder);
        }
        if size > room - size_len {
            return Err(WalkError::BeyondEnd);
        }
        let field = fields.iter().find(|field| field.tag == Some(tag));
        let read = Read::show(Event::Tagged { field, tag, len: tag_len + size_len, size, following });
        let after = Some(Frame::Tags { fields, left: following, lowest: tag + 1 });
        match field {
            Some(field) if !field.versions.contains(self.version) => Err(WalkError::TagNotInVersion),
            Some(field) => Ok((read.containing(Frame::Value { field }), after)),
            None if size > self.limits.tagged_bytes => Err(WalkError::TaggedFieldTooLarge),
            None => {
                (self.skip, self.payload) = (size, false);
                Ok((read, after))
            }
        }
    }

    /// A varint at the front, within what is left.
    fn varint(&self, unread: &[u8]) -> Result<Option<(u32, usize)>, WalkError> {
        read_within(unread, self.remaining())
    }

    /// A length: compact in flexible versions, else of `width` (2 or 4) bytes.
    fn prefix(&self, width: usize, unread: &[u8]) -> Result<Prefix, WalkError> {
        if self.flexible {
            return Ok(match self.varint(unread)? {
                None => Prefix::Starved(unread.len() + 1),
                Some((value, prefix)) => {
                    let length = value.checked_sub(1).map(usize::try_from).transpose();
                    Prefix::Length { prefix, length: length.map_err(|_| WalkError::BeyondEnd)? }
                }
            });
        }
        if width > self.remaining() {
            return Err(WalkError::Truncated);
        }
        let length = if width == 2 { read_i16(unread).map(i32::from) } else { read_i32(unread) };
        match length {
            None => Ok(Prefix::Starved(width)),
            Some(-1) => Ok(Prefix::Length { prefix: width, length: None }),
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| WalkError::NegativeLength)?;
                Ok(Prefix::Length { prefix: width, length: Some(length) })
            }
        }
    }

    /// The fewest bytes a value of this type takes on the wire.
    fn smallest(&self, kind: &Type) -> usize {
        match kind {
            Type::String if !self.flexible => 2,
            Type::Bytes | Type::Records | Type::Array(_) if !self.flexible => 4,
            Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
            Type::Struct(fields) => {
                let plain = fields.iter().filter(|field| self.is_plain(field));
                let of = |field: &Field| match field.kind {
                    Type::Struct(_) if field.nullable.contains(self.version) => 1,
                    _ => self.smallest(&field.kind),
                };
                plain.map(of).sum::<usize>() + usize::from(self.flexible)
            }
            Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Uuid => {
                fixed_size(kind).unwrap_or_default()
            }
        }
    }
}

/// A varint at the front of `unread`, of which at most `room` bytes belong to the message.
fn read_within(unread: &[u8], room: usize) -> Result<Option<(u32, usize)>, WalkError> {
    match read_varint(unread.get(..room).unwrap_or(unread))? {
        None if unread.len() >= room => Err(WalkError::Truncated),
        read => Ok(read),
    }
}

fn fixed_size(kind: &Type) -> Option<usize> {
    match kind {
        Type::Bool | Type::Int8 => Some(1),
        Type::Int16 => Some(2),
        Type::Int32 => Some(4),
        Type::Int64 => Some(8),
        Type::Uuid => Some(16),
        Type::String | Type::Bytes | Type::Records | Type::Array(_) | Type::Struct(_) => None,
    }
}
