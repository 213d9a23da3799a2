//! Numbers, structures and sections of format 6 as bytes.
//!
//! A number is a varint (seven bits a byte, lowest first). A structure is its length, a number with one bit for each field that
//! it has, and these fields by ascending number. What a reader does not know stands behind what it knows and is skipped with the
//! rest of the length. A section is its kind (a number), its length (u32, little-endian) and its content; a reader skips kinds
//! that it does not know.
//!
//! A field is written only where it differs from a base that the reader has, too: so a new field of a later format is absent
//! where it says nothing.

use crate::model::time::Timestamp;
use crate::source::record::format::RecordingFault;

/// A value that can be written relative to another one.
pub trait Relative: Sized + PartialEq {
    /// Writes it.
    fn put(&self, base: &Self, out: &mut BytesOut);

    /// Reads it.
    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault>;
}

/// Bytes that are being written of the sample that was begun `at`.
#[derive(Debug, Default)]
pub struct BytesOut {
    /// What was written.
    pub bytes: Vec<u8>,
    /// The moment that times are told from.
    pub at: Timestamp,
}

/// Bytes that are being read of the sample that was begun `at`.
#[derive(Clone, Copy, Debug)]
pub struct BytesIn<'a> {
    rest: &'a [u8],
    /// The moment that times are told from.
    pub at: Timestamp,
}

impl BytesOut {
    /// Empties it for a sample that was begun `at`; keeps the memory.
    pub fn begin(&mut self, at: Timestamp) {
        self.bytes.clear();
        self.at = at;
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        let (head, len) = varint(number);
        self.bytes.extend_from_slice(&head[..len]);
    }

    /// A length or a count.
    pub fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A number that is small on either side of 0.
    pub fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63).cast_unsigned());
    }

    /// So many bytes.
    pub fn slice(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// A structure, of the fields that `fill` puts in.
    pub fn structure(&mut self, fill: impl FnOnce(&mut FieldsOut<'_>)) {
        let begin = self.bytes.len();
        let mut fields = FieldsOut { out: self, mask: 0 };
        fill(&mut fields);
        let (mask, mask_len) = varint(fields.mask);
        let (length, length_len) = varint((self.bytes.len() - begin + mask_len) as u64);
        self.bytes.extend_from_slice(&length[..length_len]);
        self.bytes.extend_from_slice(&mask[..mask_len]);
        self.bytes[begin..].rotate_right(length_len + mask_len);
    }

    /// A section of `kind` that `fill` writes; nothing if it writes nothing.
    pub fn section(&mut self, kind: u64, fill: impl FnOnce(&mut Self)) -> Result<(), RecordingFault> {
        let before = self.bytes.len();
        self.number(kind);
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        fill(self);
        let length = self.bytes.len() - begin - 4;
        let length = u32::try_from(length).map_err(|_| RecordingFault::TooLong(length as u64))?;
        if length == 0 {
            self.bytes.truncate(before);
        } else {
            self.bytes[begin..begin + 4].copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }
}

/// The bytes of a number, and how many they are.
fn varint(mut number: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut len) = ([0; 10], 0);
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        bytes[len] = if number == 0 { low } else { low | 0x80 };
        len += 1;
        if number == 0 {
            return (bytes, len);
        }
    }
}

/// The fields of a structure that is being written, by ascending number.
#[derive(Debug)]
pub struct FieldsOut<'a> {
    out: &'a mut BytesOut,
    mask: u64,
}

impl FieldsOut<'_> {
    /// Field `number` with this value, if that is another one than `base`.
    pub fn put<T: Relative>(&mut self, number: u32, value: &T, base: &T) {
        if value != base {
            self.always(number, |out| value.put(base, out));
        }
    }

    /// Field `number` as `put` writes it.
    pub fn always(&mut self, number: u32, put: impl FnOnce(&mut BytesOut)) {
        debug_assert!(self.mask >> number == 0, "fields ascend");
        self.mask |= 1 << number;
        put(self.out);
    }
}

impl<'a> BytesIn<'a> {
    /// The bytes `rest` of a sample that was begun `at`.
    pub const fn new(rest: &'a [u8], at: Timestamp) -> Self {
        Self { rest, at }
    }

    /// Whether all was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, RecordingFault> {
        let (byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*byte)
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64, RecordingFault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                break;
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(RecordingFault::Nonsense("a number is too long"))
    }

    /// The next number on either side of 0.
    pub fn signed(&mut self) -> Result<i64, RecordingFault> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    /// The next number, which has to fit.
    pub fn index(&mut self) -> Result<u32, RecordingFault> {
        u32::try_from(self.number()?).map_err(|_| RecordingFault::Nonsense("a number is too large"))
    }

    /// How many items follow: at most `max`, and no more than there are bytes, of which each item has one at least.
    pub fn count(&mut self, (max, what): (u32, &'static str)) -> Result<usize, RecordingFault> {
        let count = self.number()?;
        if count > u64::from(max) {
            return Err(RecordingFault::TooMany(what));
        }
        usize::try_from(count).ok().filter(|count| *count <= self.rest.len()).ok_or(SHORT)
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: u64) -> Result<&'a [u8], RecordingFault> {
        let length = usize::try_from(length).map_err(|_| SHORT)?;
        let (slice, rest) = self.rest.split_at_checked(length).ok_or(SHORT)?;
        self.rest = rest;
        Ok(slice)
    }

    /// A length, and so many bytes.
    pub fn slice(&mut self) -> Result<&'a [u8], RecordingFault> {
        let length = self.number()?;
        self.take(length)
    }

    /// The next structure.
    pub fn structure(&mut self) -> Result<FieldsIn<'a>, RecordingFault> {
        let mut bytes = Self { rest: self.slice()?, at: self.at };
        let mask = bytes.number()?;
        Ok(FieldsIn { bytes, mask })
    }

    /// Kind and content of the next section; `None` at the end.
    pub fn section(&mut self) -> Result<Option<(u64, Self)>, RecordingFault> {
        if self.is_empty() {
            return Ok(None);
        }
        let kind = self.number()?;
        let length = self.take(4)?.iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
        Ok(Some((kind, Self { rest: self.take(length)?, at: self.at })))
    }

    /// Nothing may follow what was read.
    pub const fn end(&self) -> Result<(), RecordingFault> {
        if self.is_empty() { Ok(()) } else { Err(RecordingFault::Nonsense("something is left over")) }
    }
}

const SHORT: RecordingFault = RecordingFault::Nonsense("it is shorter than it says");

/// The fields of a structure that is being read, by ascending number. What is left at the end is of a later format.
#[derive(Debug)]
pub struct FieldsIn<'a> {
    bytes: BytesIn<'a>,
    mask: u64,
}

impl<'a> FieldsIn<'a> {
    /// Whether field `number` is there.
    pub const fn has(&self, number: u32) -> bool {
        self.mask & 1 << number != 0
    }

    /// The value of field `number`, which is `base` where it is not there.
    pub fn take<T: Relative + Clone>(&mut self, number: u32, base: &T) -> Result<T, RecordingFault> {
        if self.has(number) { T::take(base, &mut self.bytes) } else { Ok(base.clone()) }
    }

    /// The bytes at hand, for a field that [`Self::has`] found.
    pub const fn bytes(&mut self) -> &mut BytesIn<'a> {
        &mut self.bytes
    }
}
