//! What differs between operating systems, under one name each: the terminal, signals and this process.

#[cfg(not(unix))]
pub use crate::runtime::other::{
    ConsoleKeyboard as Keyboard, ConsoleSignals as SignalStream, ask_background, end_is_asked, enter, is_setuid, leave,
    reader_is_gone, reader_takes_more, size, stop_self, thread_time, write_all,
};
#[cfg(unix)]
pub use crate::runtime::unix::{
    UnixKeyboard as Keyboard, UnixSignals as SignalStream, ask_background, end_is_asked, enter, is_setuid, leave,
    reader_is_gone, reader_takes_more, size, stop_self, thread_time, write_all,
};
