//! The shape of a recording, its limits, and what can be wrong with one.
//!
//! ```text
//! magic (8 bytes)  version (u16)  frame: header  frame: sample  frame: sample ...  end mark
//! frame    = length (u32, not 0)  crc32 of the payload (u32)  payload
//! end mark = length 0 (u32)  crc32 of nothing, 0 (u32)
//! ```
//!
//! Numbers outside of payloads are little-endian. A payload is postcard (its specification: postcard.jamesmunns.com):
//! of a [`Header`], or of a [`SampleHead`] and, in this order, the sections notes, users, interfaces, network namespaces,
//! units, interfaces that lead to others (the last five only if the head says so), processes, holders, sockets, usage, details and, since
//! version 5, whether the descriptors of those who hold sockets are others than before and, if so, their section. Then, as far as there is
//! anything to say (a payload may end before each of them): the scope and the section of those gone, which says that the
//! sample is partial; the facts of the kernel, if they are others than before (an option); the events: who tells, and the
//! sections of ended sockets, of steps, of losses, since version 4 of callers, and since version 5 whether every error of a step
//! was told and the section of errors. A section is a count (u32) and its items.
//!
//! Processes and holders are tables that grow from frame to frame, and items name them by index; a frame whose head
//! says `fresh` starts both, the names and the facts, anew.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::model::event::{ENDED_MAX, STATE_CHANGES_MAX};
use crate::model::snapshot::SourceKind;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// What a recording begins with. The first byte is no ASCII, so that no text file is taken for one.
pub const MAGIC: [u8; 8] = *b"\x89conntop";
/// The version of the format this conntop writes, and the newest it reads.
///
/// Version 2 has partial samples, version 3 facts of the kernel and events: what a version does not have it ends before, so
/// that these are read alike. Version 4 has more of each socket ([`WireMore`](super::wire::WireMore)) and of owners: that they
/// were not found in time, or are not in `/proc`; and who made the steps of the trace. Version 5 has more of each socket
/// ([`WireNewest`](super::wire::WireNewest)), more facts, counters as a list, to which new ones are added at the end, the
/// interfaces that lead to others, the errors that the kernel reported of the ends of sockets, and the descriptors of every
/// process that holds a socket, where before [`Usage`](crate::model::process::Usage) had those of some.
pub const VERSION: u16 = 5;

/// The longest header payload in bytes.
pub const HEADER_BYTES_MAX: u32 = 4_096;
/// The longest sample payload in bytes.
pub const FRAME_BYTES_MAX: u32 = 64 << 20;
/// The most samples in one recording: four months at one a second.
pub const FRAMES_MAX: u32 = 10_000_000;
/// The most sockets in one sample.
pub const SOCKETS_MAX: u32 = 2_000_000;
/// The most sentences on what a sample does not show.
pub const NOTES_MAX: u32 = 64;
/// The most names of users, of interfaces, of network namespaces, and of units.
pub const NAMES_MAX: u32 = 131_072;
/// The most processes in the table.
pub const PROCESSES_MAX: u32 = 1 << 20;
/// The most text of processes in the table, in bytes.
pub const PROCESS_TEXT_BYTES_MAX: usize = 128 << 20;
/// The most sets of holders in the table.
pub const HOLDERS_MAX: u32 = 1 << 20;
/// The most members of all sets of holders in the table together.
pub const MEMBERS_MAX: u32 = 1 << 22;
/// The most processes whose use a sample holds.
pub const USAGE_MAX: u32 = 1 << 20;
/// The most connections whose details a sample holds.
pub const DETAILS_MAX: u32 = 65_536;
/// The most sockets that a sample says are gone.
pub const GONE_MAX: u32 = 1 << 20;
/// The most losses.
pub const LOSSES_MAX: u32 = 16;

/// Who recorded, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The machine.
    pub host: DisplayText,
    /// The source that the samples came from.
    pub kind: SourceKind,
}

/// The part of a sample that is there once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleHead {
    /// The tables and names start anew with this frame.
    pub fresh: bool,
    /// Names of users, interfaces, network namespaces and units follow; otherwise those of the frame before hold.
    pub names: bool,
    /// When the sample was begun.
    pub at: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// How long taking it took.
    pub took: Duration,
    /// The numbers of the coverage, in the order of its fields.
    pub coverage: [u32; 5],
}

/// What is wrong with a recording, or why one cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RecordingFault {
    /// The file is shorter than it says.
    #[error("it ends in the middle of a sample")]
    Cut,
    /// The recorder was interrupted between two samples.
    #[error("it was not finished, its end mark is missing")]
    Unfinished,
    /// Something stands where nothing can.
    #[error("something follows its end mark")]
    Trailing,
    /// The end mark has a checksum other than 0.
    #[error("its end mark is not one")]
    EndMark,
    /// A frame is longer than [`FRAME_BYTES_MAX`].
    #[error("a sample of {0} bytes is longer than conntop takes")]
    TooLong(u64),
    /// A section or a table is longer than its limit.
    #[error("there are more {0} than conntop takes")]
    TooMany(&'static str),
    /// The payload is not what was written.
    #[error("a checksum does not match")]
    Checksum,
    /// The payload cannot be decoded, or says what cannot be.
    #[error("a sample makes no sense ({0})")]
    Nonsense(&'static str),
    /// The system refused.
    #[error("{}", .0.kind())]
    Io(#[from] io::Error),
}

impl From<postcard::Error> for RecordingFault {
    fn from(_: postcard::Error) -> Self {
        Self::Nonsense("it cannot be decoded")
    }
}
