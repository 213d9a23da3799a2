//! Two things at the same time, without a thread that outlives them.

use std::panic::resume_unwind;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// How many threads can run at the same time. It is asked once: the answer takes some 15 system calls where a control group
/// limits the processors.
pub fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// Runs `here` on this thread and `there` on another one at the same time; one after the other where no other thread
/// can be had.
///
/// # Panics
/// If one of them does.
pub fn both<A, B: Send>(here: impl FnOnce() -> A, there: impl FnOnce() -> B + Send) -> (A, B) {
    // Lent to the thread, not given, so that it is still here if there is none.
    let there = Mutex::new(Some(there));
    let run = || there.lock().unwrap_or_else(PoisonError::into_inner).take().map(|there| there());
    thread::scope(|scope| {
        let other = thread::Builder::new().name("sampler-2".to_owned()).spawn_scoped(scope, run);
        let a = here();
        let b = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => run(),
        };
        (a, b.expect("it is run either by the thread or, without one, here"))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn both_run_at_the_same_time() {
        let meet = Barrier::new(2);
        let (mut a, mut b) = (0, 0);
        let wait = || meet.wait();
        both(|| (a = 1, wait()), || (b = 2, wait()));
        assert_eq!((a, b), (1, 2));
    }

    #[test]
    fn a_panic_of_the_other_thread_is_not_lost() {
        let panics = std::panic::catch_unwind(|| both(|| 1, || panic!("in the other thread")));
        assert_eq!(
            panics.err().and_then(|panic| panic.downcast::<&str>().ok()).as_deref(),
            Some(&"in the other thread")
        );
    }
}
