//! The manifest: YAML files ⇄ zones.
//!
//! bytes → spanned tree → schema → rules within a zone → rules across zones. Each layer reports all it finds, with
//! file, line and column; what a layer has refused, the next one does not complain about again.

pub mod bytes;
pub mod code;
pub mod document;
pub mod edit;
pub mod fault;
mod file;
pub mod finding;
pub mod load;
mod parts;
pub mod read;
pub mod scalar;
pub mod schema;
mod secret;
mod set;
pub mod suppress;
mod text;
pub mod tree;
pub mod v2;

pub use code::{Code, Layer, Severity};
pub use document::{NotAZone, from_document, to_document, to_yaml};
pub use finding::{Finding, Location, quote};
pub use load::{
    AliasPlaces, FileProblem, Known, Loaded, LoadedZone, Loader, SourceFile, Unreadable, is_manifest, load,
};
pub use parts::in_parts;
pub use suppress::{Suppressed, Suppression};
pub use text::Text;
