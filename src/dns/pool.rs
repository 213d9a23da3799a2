//! The threads that call the resolver. Each may hang in the resolver for as long as that likes: nobody waits for one, the screen and
//! the end of the program least of all.

use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::dns::book::{LookupQueue, NextStep, QueryLimits, WORKERS_MAX};
use crate::dns::resolver::Resolver;
use crate::model::host_name::Named;

/// Looks up the names of the wanted addresses, and hands on each that is found.
pub struct Pool {
    shared: Arc<PoolShared>,
    workers: usize,
}

struct PoolShared {
    state: Mutex<PoolState>,
    changed: Condvar,
    resolver: Box<dyn Resolver>,
    tell: Box<dyn Fn(Named) + Send + Sync>,
}

struct PoolState {
    book: LookupQueue,
    /// Nobody listens any more.
    is_over: bool,
}

impl PoolShared {
    /// A thread that panicked has left nothing half done.
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// One that has no threads yet. What it learns it tells on one of them; private addresses are asked about only
    /// `with_private`, or if no question leaves this machine.
    pub fn new(resolver: Box<dyn Resolver>, with_private: bool, tell: impl Fn(Named) + Send + Sync + 'static) -> Self {
        let asks_others = resolver.asks_others();
        let book = LookupQueue::new(QueryLimits { with_private: with_private || !asks_others, is_slow: asks_others });
        let state = Mutex::new(PoolState { book, is_over: false });
        let shared = PoolShared { state, changed: Condvar::new(), resolver, tell: Box::new(tell) };
        Self { shared: Arc::new(shared), workers: 0 }
    }

    /// Wants the names of these addresses, the first ones first, and no others any more; answers those that are known.
    pub fn want(&mut self, addresses: &[IpAddr]) -> Vec<Named> {
        let (known, unanswered) = {
            let mut state = self.shared.lock();
            (state.book.want(addresses), state.book.unanswered(Instant::now()))
        };
        while self.workers < unanswered.min(WORKERS_MAX) {
            let shared = Arc::clone(&self.shared);
            let spawned =
                thread::Builder::new().name(format!("name-{}", self.workers + 1)).spawn(move || work(&shared));
            // Where no thread is to be had there are no names.
            if spawned.is_err() {
                break;
            }
            self.workers += 1;
        }
        self.shared.changed.notify_all();
        known
    }

    /// Waits until all that is wanted is answered, at most until `deadline`; the names, and how many answers are missing.
    pub fn wait(&self, deadline: Instant) -> (Vec<Named>, usize) {
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            let unanswered = state.book.unanswered(now);
            let left = deadline.saturating_duration_since(now);
            if unanswered == 0 || left.is_zero() {
                return (state.book.names(), unanswered);
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The threads that are not in the resolver end now; one that is ends with its question, or with the program.
impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

fn work(shared: &PoolShared) {
    let mut state = shared.lock();
    while !state.is_over {
        match state.book.next(Instant::now()) {
            NextStep::Ask(addr) => {
                drop(state);
                let reply = shared.resolver.ask(addr);
                let told = shared.lock().book.answered(addr, reply, Instant::now());
                shared.changed.notify_all();
                if let Some(named) = told {
                    (shared.tell)(named);
                }
                state = shared.lock();
            }
            NextStep::Wait(time) => {
                let waited = shared.changed.wait_timeout(state, time);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            NextStep::Idle => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;
    use crate::dns::resolver::DnsReply;

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Says who is asked and answers when it is told to.
    struct Slow {
        asked: Mutex<Sender<IpAddr>>,
        answers: Mutex<Receiver<()>>,
        names: HashSet<IpAddr>,
    }

    impl Resolver for Slow {
        fn ask(&self, addr: IpAddr) -> DnsReply {
            self.asked.lock().expect("no panic").send(addr).expect("the test listens");
            // The end of the test answers, too.
            let _ = self.answers.lock().expect("no panic").recv();
            if self.names.contains(&addr) {
                DnsReply::Name(format!("{addr}.example").into_bytes())
            } else {
                DnsReply::NoName
            }
        }
    }

    fn addresses(count: u8) -> Vec<IpAddr> {
        (1..=count).map(|last| IpAddr::from([8, 8, 8, last])).collect()
    }

    #[test]
    fn no_thread_before_the_first_question_and_never_more_than_four() {
        let ((asked, questions), (_answer, answers)) = (channel(), channel());
        let resolver = Slow { asked: asked.into(), answers: answers.into(), names: HashSet::new() };
        let mut pool = Pool::new(Box::new(resolver), false, |_| {});
        assert_eq!((pool.want(&[]), pool.workers), (Vec::new(), 0));
        pool.want(&["10.0.0.1".parse().expect("an address")]);
        assert_eq!(pool.workers, 0, "nothing is asked about a private address");
        pool.want(&addresses(1));
        assert_eq!(pool.workers, 1);
        pool.want(&addresses(100));
        pool.want(&addresses(50));
        assert_eq!(pool.workers, WORKERS_MAX);
        let asked: HashSet<_> =
            (0..WORKERS_MAX).map(|_| questions.recv_timeout(PATIENCE).expect("a question")).collect();
        assert_eq!(asked.len(), WORKERS_MAX, "nothing is asked twice");
        // All four hang: nothing else is asked, and neither the wait nor the end waits for them.
        let (names, unanswered) = pool.wait(Instant::now());
        assert_eq!((names, unanswered), (Vec::new(), 50));
        drop(pool);
        assert!(questions.try_recv().is_err());
    }

    #[test]
    fn what_is_learnt_is_told_and_known_the_next_time() {
        let ((asked, questions), (answer, answers)) = (channel(), channel());
        let names = addresses(3).into_iter().skip(1).collect();
        let resolver = Slow { asked: asked.into(), answers: answers.into(), names };
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let mut pool = Pool::new(Box::new(resolver), false, move |named| {
            tell.lock().expect("no panic").send(named).expect("the test listens");
        });
        pool.want(&addresses(3));
        for _ in 0..3 {
            questions.recv_timeout(PATIENCE).expect("a question");
            answer.send(()).expect("a worker waits");
        }
        let (names, unanswered) = pool.wait(Instant::now() + PATIENCE);
        assert_eq!((names.len(), unanswered), (2, 0));
        let told: HashSet<_> = (0..2).map(|_| told.recv_timeout(PATIENCE).expect("it is told").0).collect();
        assert_eq!(told, addresses(3).into_iter().skip(1).collect::<HashSet<_>>(), "of no name nothing is told");
        assert_eq!(pool.want(&addresses(2)).len(), 1);
        assert!(questions.try_recv().is_err(), "nothing is asked again");
    }
}
