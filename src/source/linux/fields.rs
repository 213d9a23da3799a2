//! Fields of the kernel's structures, in the byte order of the machine. A structure grows from kernel to kernel: what an older
//! one does not have is `None`.

/// The number of the machine's byte order at `offset`, if `info` has it.
#[inline]
pub fn ne32(info: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*info.get(offset..)?.first_chunk()?))
}

/// The same in 64 bits.
#[inline]
pub fn ne64(info: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*info.get(offset..)?.first_chunk()?))
}
