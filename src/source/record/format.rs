//! The shape of a recording, its limits, and what can be wrong with one.
//!
//! ```text
//! magic (8 bytes)  version (u16)  frame  frame  frame ...
//! frame = length (u32, not 0)  crc32 of what follows (u32)  kind (u8)  rest
//! ```
//!
//! Numbers of this frame are little-endian. Since version 6 the frames are, by their [`kind`]:
//!
//! - one HEADER: a structure, see [`Header`](super::header::Header);
//! - KEY and CHANGE: a sample. Both have a head ([`FrameHead`](super::frame::FrameHead), a structure that is not compressed, so that an
//!   index can be made without reading more) and then zstd. A KEY begins a group: one zstd stream that is flushed after every sample, so
//!   that each frame can be read when it is there. It lists every row; a CHANGE says what differs from the sample before.
//! - one INDEX: where the groups begin, and marks, see [`Index`](super::index::Index);
//! - one END, the last: where the index is (u64). A recording that was broken off has neither; its index is made by its heads.
//!
//! What is compressed is sections, see [`bytes`](super::bytes): [`section`] has their kinds, the modules
//! [`row`](super::row), [`transition`](super::transition), [`context`](super::context) and [`holders`](super::holders) what is in them.
//! Frames and sections of an unknown kind and unknown fields are skipped.
//!
//! Versions 1 to 5 are read only. Their frames have no kind: the first is the header, the others are samples in postcard
//! (its specification: postcard.jamesmunns.com), up to a length of 0; see [`older`](super::older).

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
/// Versions 1 to 5 hold samples as the source gave them. Version 2 has partial samples, version 3 facts of the kernel and events: what
/// a version does not have it ends before, so that these are read alike. Version 4 has more of each socket
/// ([`WireMore`](super::older::wire::WireMore)) and of owners, and who made the steps of the trace. Version 5 has more of each socket
/// ([`WireNewest`](super::older::wire::WireNewest)), more facts, counters as a list, the interfaces that lead to others, errors of ends,
/// and the descriptors of every process that holds a socket.
///
/// Version 6 holds what a tracker said of the samples: every row now and then, and what changes in between. A later version can add
/// sections, fields, cases of what an old one need not know, and counters, without a new number.
pub const VERSION: u16 = 6;
/// The newest version that holds samples as the source gave them.
pub const VERSION_OF_SNAPSHOTS: u16 = 5;

/// The kinds of frames.
pub mod kind {
    /// Who recorded, and what.
    pub const HEADER: u8 = 1;
    /// A sample with every row, the first of a group.
    pub const KEY: u8 = 2;
    /// A sample as what differs from the one before.
    pub const CHANGE: u8 = 3;
    /// Where the groups are.
    pub const INDEX: u8 = 4;
    /// Where the index is; nothing follows.
    pub const END: u8 = 5;
}

/// The kinds of sections. A new one gets the next number.
pub mod section {
    /// Numbers of the sample as a whole.
    pub const SAMPLE: u64 = 1;
    /// What could not be seen.
    pub const COVERAGE: u64 = 2;
    /// Names of users, interfaces, network namespaces and units.
    pub const NAMES: u64 = 3;
    /// Limits and counters of the kernel.
    pub const FACTS: u64 = 4;
    /// Who tells of events.
    pub const EVENT_STATUS: u64 = 5;
    /// What processes use.
    pub const USAGE: u64 = 6;
    /// Descriptors of processes.
    pub const DESCRIPTORS: u64 = 7;
    /// Details of connections.
    pub const DETAILS: u64 = 8;
    /// Processes that were not named in the group before.
    pub const PROCESSES: u64 = 9;
    /// Sets of processes that were not named in the group before.
    pub const HOLDERS: u64 = 10;
    /// Every row of a key frame, else the rows that are new.
    pub const ROWS: u64 = 11;
    /// Rows that are others than before.
    pub const CHANGED: u64 = 12;
    /// Rows that are gone, by slot.
    pub const REMOVED: u64 = 13;
    /// The same in a key frame, by identity.
    pub const REMOVED_IDS: u64 = 14;
    /// Rows that were not listed.
    pub const UNLISTED: u64 = 15;
    /// What happened.
    pub const TRANSITIONS: u64 = 16;
    /// Where something was lost.
    pub const GAPS: u64 = 17;
}

/// The longest header payload in bytes.
pub const HEADER_BYTES_MAX: u32 = 4_096;
/// The longest frame in bytes.
pub const FRAME_BYTES_MAX: u32 = 64 << 20;
/// The longest content of a frame, uncompressed, in bytes.
pub const CONTENT_BYTES_MAX: u32 = 256 << 20;
/// The longest content of all frames of a group, uncompressed, in bytes.
pub const GROUP_BYTES_MAX: u64 = 1 << 30;
/// How far back compressed bytes may refer, as a power of two.
pub const WINDOW_LOG_MAX: u32 = 23;
/// The most transitions in one sample.
pub const TRANSITIONS_MAX: u32 = 1 << 20;
/// The most groups in an index: a year of one a minute.
pub const GROUPS_MAX: u32 = 1 << 19;
/// The most marks in an index.
pub const MARKS_MAX: u32 = 1 << 16;
/// The most marks of one sample.
pub const SAMPLE_MARKS_MAX: u32 = 256;
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

/// The header of versions 1 to 5: who recorded, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OlderHeader {
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
