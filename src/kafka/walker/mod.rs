//! The resumable walker: reads a body against its [`Shape`], byte by byte as it arrives, and says what each run of bytes is.
//!
//! It owns its whole state (an explicit stack, no borrowed input) and allocates nothing in proportion to what the wire
//! claims. Every length is held against what is left of the enclosing body or tagged field *before* anything waits for it.

mod atom;
mod event;

use self::atom::{Read, Step};
pub use self::event::{Event, Limits, WalkError};
use super::shape::{Field, Shape, Type};

/// Shapes nest far less; a bound all the same, so that a wrong shape is an error and not a loop.
const MAX_DEPTH: usize = 32;
/// What a message about topics and their partitions needs.
const USUAL_DEPTH: usize = 8;

/// What stands on the walker's stack: where to go on once what is above it is done.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Fields {
        fields: &'static [Field],
        next: usize,
    },
    Value {
        field: &'static Field,
    },
    Elements {
        field: &'static Field,
        kind: &'static Type,
        left: u32,
    },
    TagCount {
        fields: &'static [Field],
    },
    Tags {
        fields: &'static [Field],
        left: u32,
        lowest: u32,
    },
    /// Where a known tagged field must end; `outer` is the end of what encloses it.
    TagEnd {
        outer: usize,
    },
}

/// Reads one body.
#[derive(Debug)]
pub struct Walker {
    version: i16,
    flexible: bool,
    limits: Limits,
    /// Bytes accounted for, from the start of the body.
    position: usize,
    /// Where the innermost tagged field ends, or the body.
    end: usize,
    elements: u32,
    /// Bytes of a long value that are still to pass, and whether they are records.
    skip: usize,
    payload: bool,
    /// An event found behind quiet bytes that had to be reported first.
    held: Option<Event>,
    stack: Vec<Frame>,
    supported: bool,
}

impl Walker {
    /// For a body of `body_len` bytes, request or response header not included.
    pub fn new(shape: &'static Shape, version: i16, body_len: usize, limits: Limits) -> Self {
        let mut stack = Vec::with_capacity(USUAL_DEPTH);
        stack.push(Frame::Fields { fields: shape.fields, next: 0 });
        Self {
            version,
            flexible: shape.is_flexible(version),
            limits,
            position: 0,
            end: body_len,
            elements: 0,
            skip: 0,
            payload: false,
            held: None,
            stack,
            supported: shape.versions.contains(version),
        }
    }

    /// What the front of `unread` is. `unread` starts right behind the last event, and must not hold less of what follows
    /// than it did before.
    pub fn next(&mut self, unread: &[u8]) -> Result<Event, WalkError> {
        if !self.supported {
            return Err(WalkError::UnknownVersion);
        }
        if let Some(event) = self.held.take_if(|event| event.len() <= unread.len()) {
            return Ok(event);
        }
        if let Some(event) = &self.held {
            return Ok(Event::More { needed: event.len() });
        }
        let mut quiet = 0;
        loop {
            let rest = unread.get(quiet..).unwrap_or_default();
            let event = match self.step(rest)? {
                Step::Quiet(len) => {
                    quiet += len;
                    continue;
                }
                Step::Starved(needed) if quiet == 0 => return Ok(Event::More { needed }),
                Step::Starved(_) => return Ok(Event::Pass { len: quiet }),
                Step::Show(event) => event,
            };
            if quiet == 0 {
                return Ok(event);
            }
            self.held = Some(event);
            return Ok(Event::Pass { len: quiet });
        }
    }

    /// Bytes accounted for, from the start of the body; after [`WalkError::TrailingBytes`], where the message ended.
    pub fn position(&self) -> usize {
        self.position
    }

    fn remaining(&self) -> usize {
        self.end.saturating_sub(self.position)
    }

    fn step(&mut self, unread: &[u8]) -> Result<Step, WalkError> {
        if self.skip > 0 {
            return Ok(self.pass_on(unread.len()));
        }
        let Some(frame) = self.stack.pop() else {
            return if self.remaining() == 0 {
                Ok(Step::Show(Event::End))
            } else {
                Err(WalkError::TrailingBytes)
            };
        };
        let (read, after) = match frame {
            Frame::Fields { fields, next } => self.fields(fields, next, unread)?,
            Frame::Value { field } => (self.field(field, unread)?, None),
            Frame::Elements { left: 0, .. } | Frame::Tags { left: 0, .. } => (Read::quiet(0), None),
            Frame::Elements { field, kind, left } => (
                self.value(field, kind, false, unread)?,
                Some(Frame::Elements { field, kind, left: left - 1 }),
            ),
            Frame::TagCount { fields } => (self.tag_count(fields, unread)?, None),
            Frame::Tags { fields, left, lowest } => self.tag(fields, left - 1, lowest, unread)?,
            Frame::TagEnd { outer } => {
                if self.remaining() != 0 {
                    return Err(WalkError::TagSize);
                }
                self.end = outer;
                (Read::quiet(0), None)
            }
        };
        self.settle(frame, read, after)
    }

    /// Moves on behind what was read, or stays where it was if bytes are missing.
    fn settle(&mut self, frame: Frame, read: Read, after: Option<Frame>) -> Result<Step, WalkError> {
        match &read.step {
            Step::Starved(_) => self.stack.push(frame),
            Step::Quiet(len) => self.position += len,
            Step::Show(event) => self.position += event.len(),
        }
        if matches!(read.step, Step::Starved(_)) {
            return Ok(read.step);
        }
        if let Some(frame) = after {
            self.stack.push(frame);
        }
        if let Step::Show(Event::Tagged { field: Some(_), size, .. }) = read.step {
            self.stack.push(Frame::TagEnd { outer: self.end });
            self.end = self.position + size;
        }
        if let Some(frame) = read.inside {
            self.stack.push(frame);
        }
        if self.stack.len() > MAX_DEPTH { Err(WalkError::TooDeep) } else { Ok(read.step) }
    }

    fn pass_on(&mut self, available: usize) -> Step {
        let len = self.skip.min(available);
        if len == 0 {
            return Step::Starved(1);
        }
        self.skip -= len;
        self.position += len;
        if self.payload { Step::Show(Event::Payload { len, left: self.skip }) } else { Step::Quiet(len) }
    }
}

/// Accepts a body that its shape describes to the last byte.
pub fn walk(shape: &'static Shape, version: i16, body: &[u8]) -> Result<(), WalkError> {
    let mut walker = Walker::new(shape, version, body.len(), Limits::default());
    let mut unread = body;
    loop {
        match walker.next(unread)? {
            Event::End => return Ok(()),
            Event::More { .. } => return Err(WalkError::Truncated),
            event => unread = unread.get(event.len()..).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;
