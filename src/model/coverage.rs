//! What a sample could not see: shown honestly, never hidden.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::text::DisplayText;

/// How complete a sample is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct Coverage {
    /// Sockets in the sample: those that were looked at. A question about some of them looks at no others.
    pub sockets: u32,
    /// Of these, the sockets whose process this user may not look into (`owner` is `hidden`); 0 where no process is asked for.
    pub owners_hidden: u32,
    /// Processes whose descriptors could not be read.
    pub processes_unreadable: u32,
    /// Messages or lines of the kernel that made no sense and were left out.
    pub records_skipped: u32,
    /// Other network namespaces on this machine that this sample does not show.
    pub other_namespaces: u32,
    /// Why the sample is incomplete or comes from a weaker source than asked for, one sentence each.
    #[schemars(with = "Vec<String>")]
    pub degraded: Vec<DisplayText>,
}

impl Coverage {
    /// Whether everything was seen.
    pub fn is_complete(&self) -> bool {
        self.owners_hidden == 0 && self.records_skipped == 0 && self.degraded.is_empty()
    }
}
