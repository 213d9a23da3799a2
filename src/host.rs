//! Acts on the machine: signals to processes, and closes sockets. What may never be hit is decided here, last.

#[cfg(target_os = "linux")]
mod ancestry;
#[cfg(target_os = "linux")]
mod closing;
#[cfg(target_os = "linux")]
mod holding;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod made_up;
pub mod portable;
#[cfg(target_os = "linux")]
mod session;

use std::time::Duration;

use crate::model::action::{Kill, KillOutcome, ProcMismatch, Protection};
use crate::model::closing::{Close, CloseOutcome, CloseRefusal};
use crate::model::text::DisplayText;

/// The machine, as something one can act on. Tests put a fake in its place.
pub trait Host: Send + Sync {
    /// Sends the signal of `kill`, if the process is still the one that was meant and may be signalled.
    /// `Ok` watches what comes of it; `Err` says why nothing was done.
    fn kill(&self, kill: &Kill) -> Result<Box<dyn ExitWatch>, KillOutcome>;

    /// Processes that are never signalled, as far as they can be told in advance: pid 1, conntop, its ancestors.
    fn protected(&self) -> Vec<(u32, Protection)>;

    /// Why nothing at all can be done here, if that is so.
    fn doubt(&self) -> Option<ProcMismatch> {
        None
    }

    /// Whether this user may close sockets at all, as far as that can be told in advance.
    fn may_close(&self) -> bool {
        false
    }

    /// For each of `closes` whether it is one that is never closed.
    fn spared(&self, closes: &[Close]) -> Vec<Option<CloseRefusal>> {
        vec![None; closes.len()]
    }

    /// Closes each of these sockets, but for those that are spared; the answers stand in the same order.
    fn close(&self, closes: &[Close]) -> Vec<CloseOutcome> {
        vec![CloseOutcome::Unsupported; closes.len()]
    }
}

/// Watches one process.
pub trait ExitWatch: Send {
    /// Waits for its end for at most `timeout`; whether it ended.
    fn ended_within(&mut self, timeout: Duration) -> bool;

    /// What the user should know about how the signal was sent, if it was not done as safely as usual.
    fn note(&self) -> Option<DisplayText> {
        None
    }
}

/// This machine, acted on as safely as the system allows.
pub fn this_machine() -> Box<dyn Host> {
    #[cfg(target_os = "linux")]
    let host = linux::LinuxHost;
    #[cfg(not(target_os = "linux"))]
    let host = portable::PortableHost;
    Box::new(host)
}

/// Makes sure that this process can never gain rights by running another program; where the system knows such a thing.
pub fn forgo_new_rights() {
    #[cfg(target_os = "linux")]
    linux::forgo_new_rights();
}
