//! What the machine's network has beside its sockets: interfaces, counters, routes, offload features, programs of
//! processes. Read when asked for, for the network namespace of the calling thread. Linux only.

#[cfg(target_os = "linux")]
use std::fmt::Display;

use crate::model::facts::PortRange;
use crate::model::interface::{Interface, Offload, ProtocolCounter};
use crate::model::process::{Executable, ProcessId};
use crate::model::route::Route;
use crate::model::text::DisplayText;
use crate::source::SourceError;

/// A table, and one sentence for each thing that is missing from it.
#[derive(Debug, Default)]
pub struct MachineTable<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Why it is not complete.
    pub degraded: Vec<DisplayText>,
}

/// What each interface counted.
#[cfg(target_os = "linux")]
pub fn interfaces() -> Result<MachineTable<Interface>, SourceError> {
    use crate::source::linux::interfaces;
    let (rows, skipped) = interfaces::read().map_err(|error| unreadable("/proc/net/dev", error))?;
    Ok(MachineTable { rows, degraded: lines_skipped("/proc/net/dev", skipped) })
}

/// The counters of every protocol.
#[cfg(target_os = "linux")]
pub fn counters() -> Result<MachineTable<ProtocolCounter>, SourceError> {
    use crate::source::linux::counters;
    let rows = counters::read().map_err(|error| unreadable("/proc/net/snmp and /proc/net/netstat", error))?;
    Ok(MachineTable { rows, degraded: Vec::new() })
}

/// The routes of every table.
#[cfg(target_os = "linux")]
pub fn routes() -> Result<MachineTable<Route>, SourceError> {
    use crate::source::linux::routes;
    let found = routes::read().map_err(|error| {
        failed(&format!(
            "the kernel gives no routes by netlink ({error}); try 'ip route', or look where netlink is allowed"
        ))
    })?;
    let mut degraded = lines_skipped("the routes", found.skipped);
    if found.interrupted {
        degraded.push(DisplayText::new("routes changed while they were read; a route may be missing or listed twice"));
    }
    Ok(MachineTable { rows: found.routes, degraded })
}

/// The offload features of every interface. A kernel that does not tell gives none, and the reason.
#[cfg(target_os = "linux")]
pub fn offload() -> MachineTable<Offload> {
    use crate::source::linux::offload;
    match offload::read() {
        Ok(rows) => MachineTable { rows, degraded: Vec::new() },
        Err(error) => {
            let sentence = format!(
                "this kernel does not tell offload features by netlink ({error}: needs Linux 5.7 with ethtool netlink); \
                 ethtool -k INTERFACE may"
            );
            MachineTable { rows: Vec::new(), degraded: vec![DisplayText::new(&sentence)] }
        }
    }
}

/// The program that a process runs.
#[cfg(target_os = "linux")]
pub fn executable(process: ProcessId) -> Executable {
    crate::source::linux::executables::of(process)
}

/// What this kernel takes the ports of clients from; `None` where it does not say.
#[cfg(target_os = "linux")]
pub fn client_ports() -> Option<PortRange> {
    crate::source::linux::facts::client_ports()
}

#[cfg(target_os = "linux")]
fn unreadable(what: &str, error: impl Display) -> SourceError {
    failed(&format!("cannot read {what} ({error}); mount /proc with 'mount -t proc proc /proc'"))
}

#[cfg(target_os = "linux")]
fn lines_skipped(what: &str, skipped: u32) -> Vec<DisplayText> {
    let sentence = format!("{skipped} entries of {what} made no sense and were left out");
    if skipped == 0 { Vec::new() } else { vec![DisplayText::new(&sentence)] }
}

#[cfg(target_os = "linux")]
fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::*;

    fn linux_only<T>() -> Result<T, SourceError> {
        Err(SourceError::Usage(DisplayText::new("this works on Linux only; use the system's own netstat here")))
    }

    /// Linux only.
    pub fn interfaces() -> Result<MachineTable<Interface>, SourceError> {
        linux_only()
    }

    /// Linux only.
    pub fn counters() -> Result<MachineTable<ProtocolCounter>, SourceError> {
        linux_only()
    }

    /// Linux only.
    pub fn routes() -> Result<MachineTable<Route>, SourceError> {
        linux_only()
    }

    /// Linux only.
    pub fn offload() -> MachineTable<Offload> {
        MachineTable { rows: Vec::new(), degraded: vec![DisplayText::new("offload features are shown on Linux only")] }
    }

    /// Linux only.
    pub fn client_ports() -> Option<PortRange> {
        None
    }

    /// Linux only.
    pub fn executable(_: ProcessId) -> Executable {
        Executable::Hidden
    }
}

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{client_ports, counters, executable, interfaces, offload, routes};
