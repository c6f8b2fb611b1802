//! Series: identity, labels and the index of everything that passes.
//!
//! No label text of a series that just passes is kept: a series is 96 bits of hash and what was decided.

pub mod edit;
pub mod fingerprint;
pub mod grammar;
pub mod identity;
pub mod index;
pub mod labels;
mod long_values;
pub(crate) mod prefetch;
pub mod quote;
pub mod scope;
pub mod subject;
pub(crate) mod table;
pub mod tenants;
mod workload;

pub use fingerprint::{Fingerprint, Fingerprinter, SpelledScope, Speller, Spelling, TenantKey, TextHash};
pub use identity::{Invalid, Limits};
pub use index::{
    Arrival, Attribution, Claimant, Claimed, Departed, Expired, FollowUp, Found, Index, Inserted, Moved,
    Probe, Remembered, SentAs,
};
pub use labels::Labels;
pub use long_values::{LongValues, TooLong};
pub use scope::Scope;
pub use subject::{Subject, SubjectKind, SubjectLabels, SubjectTable};
pub use tenants::{Tenant, Tenants};
pub use workload::{RunFacts, RunProgress, WorkloadFacts};
