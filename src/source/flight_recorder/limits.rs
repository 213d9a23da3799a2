//! How much a flight recorder keeps.

use std::time::Duration;

/// How long and how much a flight recorder keeps, and what follows for its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentLimits {
    /// What is older than this is removed, a segment at a time; `None` for what fits.
    pub keep: Option<Duration>,
    /// All segments and the directory itself take at most so many bytes of the disk.
    pub bytes: u64,
}

impl SegmentLimits {
    /// The least that [`Self::bytes`] can be: room for several segments of a small machine.
    pub const BYTES_MIN: u64 = 4_000_000;
    /// The least that [`Self::keep`] can be.
    pub const KEEP_MIN: Duration = Duration::from_secs(60);

    /// A segment is removed as a whole, so it holds a small part of all: at most a sixteenth.
    const SEGMENTS: u64 = 16;
    /// The longest segment: its footer is read at once.
    const SEGMENT_BYTES_MAX: u64 = 64_000_000;
    /// A segment holds at least so many times what its first sample takes, which lists all sockets, so that this is the
    /// smaller part of it.
    const FIRST_SAMPLES: u64 = 4;
    /// No segment takes more than this part of all.
    const PARTS_MIN: u64 = 3;
    /// A segment is of at most a 24th of the time that is kept, and of an hour.
    const SEGMENTS_OF_TIME: u32 = 24;
    const SEGMENT_TIME_MIN: Duration = Duration::from_secs(60);
    const SEGMENT_TIME_MAX: Duration = Duration::from_secs(3_600);

    /// The time that one segment covers.
    pub fn segment_time(self) -> Duration {
        let part = self.keep.map_or(Self::SEGMENT_TIME_MAX, |keep| keep / Self::SEGMENTS_OF_TIME);
        part.clamp(Self::SEGMENT_TIME_MIN, Self::SEGMENT_TIME_MAX)
    }

    /// The length at which a segment ends whose first sample took `first` bytes.
    pub fn segment_bytes(self, first: u64) -> u64 {
        let usual = (self.bytes / Self::SEGMENTS).min(Self::SEGMENT_BYTES_MAX);
        usual.max(first.saturating_mul(Self::FIRST_SAMPLES)).min(self.bytes / Self::PARTS_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_small_part_of_what_is_kept() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let limits = |keep, bytes| SegmentLimits { keep, bytes };
        assert_eq!(limits(Some(hours(24)), 1 << 30).segment_time(), hours(1));
        assert_eq!(limits(Some(hours(240)), 1 << 30).segment_time(), hours(1));
        assert_eq!(limits(Some(hours(1)), 1 << 30).segment_time(), Duration::from_secs(150));
        assert_eq!(limits(Some(Duration::from_secs(60)), 1 << 30).segment_time(), Duration::from_secs(60));
        assert_eq!(limits(None, 1 << 30).segment_time(), hours(1));
        assert_eq!(limits(None, 160_000_000).segment_bytes(100), 10_000_000);
        assert_eq!(limits(None, 160_000_000).segment_bytes(5_000_000), 20_000_000, "mostly what changed");
        assert_eq!(limits(None, 160_000_000).segment_bytes(50_000_000), 53_333_333, "and two more fit");
        assert_eq!(limits(None, 1 << 40).segment_bytes(100), 64_000_000);
    }
}
