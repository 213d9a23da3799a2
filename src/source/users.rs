//! Names of users, as the name service of the system has them (nsswitch.conf(5): passwd, LDAP, sssd and the like), by
//! `getpwuid_r`(3). A name service may answer late or never, so it is asked on a thread of its own, which nobody waits for
//! longer than a moment: until then, and where there is no name, users are known by their numbers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::model::socket::Socket;
use crate::model::text::DisplayText;
use crate::source::guarded;

/// How long somebody who wants to print once waits for names.
pub const WAIT_ONCE: Duration = Duration::from_millis(300);
/// How long any sample does: a local file is read within.
const WAIT: Duration = Duration::from_millis(20);
/// A name is asked for again after this time.
const NAME_LIVES: Duration = Duration::from_secs(5 * 60);
/// A user without a name is asked about again after this time: one may have been given.
const NO_NAME_LIVES: Duration = Duration::from_secs(30);
/// When somebody who could not be asked is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// More users are not named.
const USERS_MAX: usize = 16_384;
/// The files that the C library reads itself, without a bound.
#[cfg(unix)]
const FILES: [&str; 2] = ["/etc/nsswitch.conf", "/etc/passwd"];
/// Up to this length, in bytes, the C library may read them.
#[cfg(unix)]
const FILE_LEN_MAX: u64 = 16 << 20;

/// What the name service says of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameReply {
    /// The name, as it came.
    Name(String),
    /// There is none.
    NoName,
    /// Nobody could be asked, and why: a sentence without its end.
    Failed(String),
}

/// Answers for one user; may take long.
type Ask = dyn Fn(u32) -> NameReply + Send + Sync;

/// The users whose names are wanted, and what is known of them.
#[derive(Debug)]
pub struct Users {
    shared: Arc<NameService>,
    /// Whether the thread was started.
    runs: bool,
    /// The names were not there in time, and are not waited for until they are.
    is_late: bool,
    /// No thread is to be had: no names then.
    no_thread: Option<String>,
}

struct NameService {
    ask: Box<Ask>,
    state: Mutex<NameServiceState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct NameServiceState {
    users: FxHashMap<u32, CachedName>,
    queue: VecDeque<u32>,
    is_asking: bool,
    /// Since when not all is answered.
    busy_since: Option<Instant>,
    /// Why the last one could not be asked about.
    trouble: Option<String>,
    /// Counts the names that came, went or changed.
    version: u64,
    /// Nobody listens any more.
    is_over: bool,
}

#[derive(Debug)]
struct CachedName {
    name: Option<DisplayText>,
    /// From when on it is to be asked again; `None` while it waits for an answer.
    until: Option<Instant>,
}

impl std::fmt::Debug for NameService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameService").field("state", &self.state).finish_non_exhaustive()
    }
}

impl NameService {
    /// A thread that panicked has left nothing half done.
    fn lock(&self) -> MutexGuard<'_, NameServiceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::asking(Box::new(ask_system))
    }
}

impl Users {
    /// Asks this one.
    fn asking(ask: Box<Ask>) -> Self {
        let shared = NameService { ask, state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), runs: false, is_late: false, no_thread: None }
    }

    /// Wants the names of the users of `sockets` and of their processes from now on, and waits for them a moment: at most
    /// `wait`, where that is longer than the moment of any sample. Answers which state of [`Self::names`] that is.
    pub fn want(&mut self, sockets: &[Socket], wait: Duration) -> u64 {
        self.ask_for(sockets);
        self.wait(Instant::now() + wait.max(WAIT))
    }

    /// Wants the names of the users of `sockets` and of their processes from now on, and does not wait for them.
    pub fn ask_for(&mut self, sockets: &[Socket]) {
        let is_wanted = {
            let mut state = self.shared.lock();
            let mut last = None;
            for uid in sockets.iter().flat_map(uids) {
                if last.replace(uid) != Some(uid) {
                    state.want(uid);
                }
            }
            state.want_old_again(Instant::now());
            if state.busy_since.is_none() && !state.queue.is_empty() {
                state.busy_since = Some(Instant::now());
            }
            !state.queue.is_empty()
        };
        if is_wanted {
            self.start();
            self.shared.changed.notify_all();
        }
    }

    /// The names that are known.
    pub fn names(&self) -> BTreeMap<u32, DisplayText> {
        let state = self.shared.lock();
        state.users.iter().filter_map(|(uid, known)| Some((*uid, known.name.clone()?))).collect()
    }

    /// Why users are shown by number though they may have names.
    pub fn trouble(&self) -> Option<DisplayText> {
        let state = self.shared.lock();
        let why = match (&self.no_thread, &state.trouble) {
            (Some(why), _) | (None, Some(why)) => why.as_str(),
            (None, None) if state.busy_since.is_some_and(|since| since.elapsed() >= WAIT_ONCE) => {
                "the system does not say in time what users are called (getpwuid)"
            }
            (None, None) if state.users.len() >= USERS_MAX => "there are more users than conntop asks about",
            (None, None) => return None,
        };
        Some(DisplayText::new(&format!("{why}; users without a name are shown by number")))
    }

    fn start(&mut self) {
        if self.runs {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let started = thread::Builder::new().name("users".into()).spawn(move || work(&shared));
        self.runs = started.is_ok();
        self.no_thread = started.err().map(|error| format!("no thread can be started to ask for names ({error})"));
    }

    /// Waits until everybody is known; not at all as long as the name service is late.
    fn wait(&mut self, deadline: Instant) -> u64 {
        let mut state = self.shared.lock();
        while self.runs && !state.is_idle() && !self.is_late {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.is_late = true;
            } else {
                state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        self.is_late &= !state.is_idle();
        state.version
    }
}

/// The thread ends now; if it is in the name service, with its question or with the program.
impl Drop for Users {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
    }
}

/// Whose a socket is, and who runs the processes that hold it.
fn uids(socket: &Socket) -> impl Iterator<Item = u32> {
    let holders = socket.owner.holders().into_iter().flat_map(|holders| holders.all());
    socket.uid.into_iter().chain(holders.filter_map(|process| process.uid))
}

impl NameServiceState {
    fn want(&mut self, uid: u32) {
        if !self.users.contains_key(&uid) && self.users.len() < USERS_MAX {
            self.users.insert(uid, CachedName { name: None, until: None });
            self.queue.push_back(uid);
        }
    }

    fn want_old_again(&mut self, now: Instant) {
        for (uid, known) in &mut self.users {
            if known.until.is_some_and(|until| until <= now) {
                known.until = None;
                self.queue.push_back(*uid);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_asking
    }

    fn answered(&mut self, uid: u32, reply: NameReply, now: Instant) {
        let Some(known) = self.users.get_mut(&uid) else { return };
        let (name, lives) = match reply {
            // An empty name names nobody.
            NameReply::Name(name) if name.is_empty() => (None, NO_NAME_LIVES),
            NameReply::Name(name) => (Some(DisplayText::name(name.as_bytes())), NAME_LIVES),
            NameReply::NoName => (None, NO_NAME_LIVES),
            NameReply::Failed(why) => {
                self.trouble = Some(why);
                known.until = Some(now + RETRY_AFTER);
                return;
            }
        };
        self.trouble = None;
        known.until = Some(now + lives);
        if known.name != name {
            known.name = name;
            self.version = self.version.wrapping_add(1);
        }
    }
}

fn work(shared: &NameService) {
    let mut state = shared.lock();
    while !state.is_over {
        if let Some(uid) = state.queue.pop_front() {
            state.is_asking = true;
            drop(state);
            let reply = (shared.ask)(uid);
            state = shared.lock();
            state.is_asking = false;
            state.answered(uid, reply, Instant::now());
            if state.is_idle() {
                state.busy_since = None;
            }
            shared.changed.notify_all();
        } else {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Asks `getpwuid_r`(3). The C library reads its files itself, to their end and waiting for it: so what stands there is
/// looked at before.
#[cfg(unix)]
fn ask_system(uid: u32) -> NameReply {
    use nix::errno::Errno;
    use nix::unistd::{Uid, User};
    if let Err(why) = guarded::check_all(&FILES, FILE_LEN_MAX) {
        return NameReply::Failed(why);
    }
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => NameReply::Name(user.name),
        // getpwuid_r(3): name services say so, too, of a user they do not know.
        Ok(None) | Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => NameReply::NoName,
        Err(error) => NameReply::Failed(format!("the system cannot be asked what users are called ({})", error.desc())),
    }
}

/// Users of other systems have no number.
#[cfg(not(unix))]
fn ask_system(_: u32) -> NameReply {
    NameReply::NoName
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::model::testing::tcp;

    /// How long a test waits for what must come.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn of(uids: &[u32]) -> Vec<Socket> {
        uids.iter().zip(1..).map(|(uid, cookie)| tcp(cookie).uid(*uid).into()).collect()
    }

    fn names(users: &Users) -> Vec<(u32, String)> {
        users.names().into_iter().map(|(uid, name)| (uid, name.to_string())).collect()
    }

    #[test]
    fn users_have_the_name_they_are_given_in_visible_characters_or_none() {
        let mut users = Users::asking(Box::new(|uid| match uid {
            1 => NameReply::Name("alice".to_owned()),
            2 => NameReply::Name("e\u{1b}[2J".to_owned()),
            3 => NameReply::Name(String::new()),
            _ => NameReply::NoName,
        }));
        users.want(&of(&[1, 2, 3, 4_294_967_294]), PATIENCE);
        assert_eq!(names(&users), [(1, "alice".to_owned()), (2, "e␛[2J".to_owned())]);
        assert_eq!(users.trouble(), None);
    }

    #[test]
    fn a_name_service_that_hangs_holds_nobody_up_and_is_waited_for_once() {
        let answers = Arc::new(AtomicBool::new(false));
        let may_answer = Arc::clone(&answers);
        let mut users = Users::asking(Box::new(move |_| {
            while !may_answer.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(1));
            }
            NameReply::Name("late".to_owned())
        }));
        let begun = Instant::now();
        users.want(&of(&[1, 2]), WAIT_ONCE);
        assert!(begun.elapsed() >= WAIT_ONCE && users.trouble().is_some());
        // It is late: nobody waits any more, however long they would.
        users.want(&of(&[1, 2, 3]), PATIENCE);
        assert!(begun.elapsed() < PATIENCE && users.names().is_empty());
        answers.store(true, Ordering::Relaxed);
        while users.trouble().is_some() {
            assert!(begun.elapsed() < PATIENCE);
            users.want(&of(&[1, 2, 3]), Duration::ZERO);
        }
        assert_eq!(users.names().len(), 3);
    }

    #[test]
    fn why_nobody_could_be_asked_is_said_and_ends_when_somebody_could() {
        let mut users = Users::asking(Box::new(|uid| match uid {
            7 => NameReply::Failed("it is broken".to_owned()),
            _ => NameReply::NoName,
        }));
        users.want(&of(&[7]), PATIENCE);
        let said = users.trouble().expect("it is said");
        assert_eq!(said.as_str(), "it is broken; users without a name are shown by number");
        users.want(&of(&[7, 8]), PATIENCE);
        assert_eq!(users.trouble(), None);
    }

    #[test]
    fn what_is_known_grows_old_at_its_own_pace_and_is_bounded() {
        let (mut state, now) = (NameServiceState::default(), Instant::now());
        for uid in 0..=u32::try_from(USERS_MAX).expect("small") {
            state.want(uid);
        }
        assert_eq!((state.users.len(), state.queue.len()), (USERS_MAX, USERS_MAX));
        state.queue.clear();
        state.answered(0, NameReply::Name("root".to_owned()), now);
        state.answered(1, NameReply::NoName, now);
        state.answered(2, NameReply::Failed(String::new()), now);
        let mut again = |after: Duration| {
            state.want_old_again(now + after);
            state.queue.drain(..).collect::<Vec<_>>()
        };
        assert_eq!(again(RETRY_AFTER), [2]);
        assert_eq!(again(NO_NAME_LIVES), [1]);
        assert_eq!(again(NAME_LIVES.saturating_sub(Duration::from_millis(1))), [0; 0]);
        assert_eq!(again(NAME_LIVES), [0]);
        let version = state.version;
        state.answered(0, NameReply::Failed(String::new()), now);
        assert_eq!(state.version, version, "a name that cannot be asked for again is kept");
        state.answered(0, NameReply::NoName, now);
        assert_ne!(state.version, version, "one that was taken away is not");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_is_asked_as_id_asks_it() {
        for uid in [0, 65_534, 404_404] {
            let output = std::process::Command::new("id").args(["-un", &uid.to_string()]).output();
            let output = output.expect("id(1) is a part of coreutils");
            let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let expected = if name.is_empty() { NameReply::NoName } else { NameReply::Name(name) };
            assert_eq!(ask_system(uid), expected);
        }
    }
}
