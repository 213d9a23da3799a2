//! What the system tells the program: end, stop, go on, the terminal has a new size.
//!
//! A thread of its own listens, so that a signal also ends a program whose main thread is stuck in a write to a
//! terminal that takes nothing (a connection that died silently).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::runtime::os::SignalStream;
use crate::runtime::signal_event::{SignalEvent, exit_code};
use crate::source::descriptors;

/// How long the main thread may take to answer a signal before the program is ended without it.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Signals that wait for the main thread; they come one by one.
const CALLS_MAX: usize = 16;

/// The descriptors of a runtime that hears signals, and some: tokio panics where its pair of sockets cannot be opened.
pub const DESCRIPTORS_NEEDED: usize = 8;

/// Listens from now on; the receiver gets every call. `answered` is to be set once the program is about to end.
pub fn listen(answered: Arc<AtomicBool>) -> io::Result<Receiver<SignalEvent>> {
    let (sender, receiver) = channel(CALLS_MAX);
    descriptors::check_room(DESCRIPTORS_NEEDED)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Registered here, not on the thread: the terminal is taken right after this.
    let signals = {
        let _guard = runtime.enter();
        SignalStream::new()?
    };
    let listening = async move || pass_on(signals, sender, &answered).await;
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(listening()))?;
    Ok(receiver)
}

async fn pass_on(mut signals: SignalStream, main: Sender<SignalEvent>, answered: &AtomicBool) {
    while let Ok(call) = signals.next().await {
        // A full queue means that the main thread does not answer; what it missed it need not know.
        let _ = main.try_send(call);
        let SignalEvent::End(signal) = call else { continue };
        tokio::time::sleep(ANSWER_WAIT).await;
        if !answered.load(Ordering::Acquire) {
            // Only the modes: a write would get stuck as well.
            let _ = crossterm::terminal::disable_raw_mode();
            std::process::exit(i32::from(exit_code(signal)));
        }
    }
}
