//! What a signal asks of the program, and the exit code after one that ended it.

/// What the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalEvent {
    /// End, because of the signal with this number.
    End(i32),
    /// Stop until continued (SIGTSTP).
    Stop,
    /// Somebody continued the program (SIGCONT).
    Continue,
    /// The terminal has a new size.
    Resize,
}

/// The exit code of a program that a signal ended, as shells have it.
pub fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
