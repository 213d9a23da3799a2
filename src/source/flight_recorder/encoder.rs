//! What makes the bytes of segments.

use crate::model::delta::Delta;
use crate::source::RecordedMark;
use crate::source::record::format::RecordingFault;
use crate::source::record::sample_writer::SampleWriter;

/// Makes the bytes of segments, each a recording of its own. It keeps what every sample is relative to, so it is told of all
/// samples, those that are not recorded too.
pub trait SegmentEncoder {
    /// The next sample begins a segment.
    fn begin_segment(&mut self);

    /// Writes a sample, and what a person may want to go to, to the end of `bytes`; before the first one what a recording begins with.
    /// After an error the sample is left out.
    fn sample(&mut self, delta: &Delta, marks: &[RecordedMark], bytes: &mut Vec<u8>) -> Result<(), RecordingFault>;

    /// The sample that was written last is not recorded after all.
    fn take_back(&mut self);

    /// A sample is not recorded.
    fn leave_out(&mut self, delta: &Delta);

    /// Writes to the end of `bytes` what ends a segment, which can be read without it too.
    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault>;
}

impl SegmentEncoder for SampleWriter {
    fn begin_segment(&mut self) {
        self.begin_recording();
    }

    fn sample(&mut self, delta: &Delta, marks: &[RecordedMark], bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        self.sample(delta, marks, bytes)
    }

    fn take_back(&mut self) {
        self.take_back();
    }

    fn leave_out(&mut self, delta: &Delta) {
        self.leave_out(delta);
    }

    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<(), RecordingFault> {
        self.finish(bytes)
    }
}
