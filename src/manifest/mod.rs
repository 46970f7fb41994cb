//! The manifest: YAML files ⇄ zones.
//!
//! bytes → spanned tree → schema → rules within a zone → rules across zones. Each layer reports all it finds, with
//! file, line and column; what a layer has refused, the next one does not complain about again.

pub mod bytes;
pub mod fault;
pub mod finding;
pub mod load;
pub mod scalar;
pub mod tree;

pub use finding::{Code, Finding, Location, Severity};
pub use load::{FileProblem, Known, Loaded, LoadedZone, SourceFile, Unreadable};
