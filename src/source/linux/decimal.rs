//! Decimal numbers as `/proc` writes them. Each is the whole of its bytes: a sign, a blank or a letter makes it none.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// The natural number that `digits` write; the largest one where it does not fit. Counters of the kernel have 64 bits.
pub fn natural(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(number.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// The natural number that `digits` write; `None` if it has more than 32 bits: pids, descriptors, inodes of sockets.
///
/// Not by way of [`natural`]: a walk reads two of these a descriptor.
pub fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// The number that `digits` write, with a minus before it or not; the nearest one where it does not fit into 64 bits.
pub fn integer(digits: &[u8]) -> Option<i64> {
    match digits.strip_prefix(b"-") {
        Some(digits) => natural(digits).map(|number| i64::try_from(number).map_or(i64::MIN, i64::saturating_neg)),
        None => natural(digits).map(|number| i64::try_from(number).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_and_fit() {
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
        assert_eq!(natural(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!((number(b"4294967296"), natural(b"18446744073709551616")), (None, Some(u64::MAX)));
        assert_eq!((integer(b"-1"), integer(b"-9223372036854775809")), (Some(-1), Some(i64::MIN)));
        for bad in [&b""[..], b"1a", b"self", b"+1", b" 1"] {
            assert_eq!((number(bad), natural(bad), integer(bad)), (None, None, None));
        }
        assert_eq!((number(b"-1"), natural(b"-1"), integer(b"--1"), integer(b"-")), (None, None, None, None));
    }
}
