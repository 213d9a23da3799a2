//! What identifies a network namespace.

use serde::{Deserialize, Serialize};

/// A network namespace: the inode of `/proc/PID/ns/net`; 0 where the system has none or does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NetnsId(pub u32);
