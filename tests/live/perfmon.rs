//! The trace of states for a user who has `CAP_PERFMON` and is not root. Needs root to set the scene: the test runs itself
//! again as nobody with that capability, and with `CAP_DAC_READ_SEARCH`, because only root may read tracefs as it is mounted.

use std::net::{TcpListener, TcpStream};
use std::process::Command;

use conntop::model::delta::EventSource;
use conntop::model::event::EventSourceStatus;
use conntop::model::tcp_state::TcpState;
use conntop::source::Choice;

use crate::program_copy::ProgramCopy;
use crate::skip::{skip, this_test};
use crate::tracked_source::TrackedSource;

/// Set in the run as nobody.
const AS_NOBODY: &str = "CONNTOP_TEST_PERFMON";
/// No more memory may be locked than a login session may lock on old systems, in KiB: rings have to fit beside it.
const LOCKED_MEMORY_KIB: u32 = 64;

#[test]
fn cap_perfmon_alone_gives_exact_transitions() {
    if std::env::var_os(AS_NOBODY).is_some() {
        return see_transitions();
    }
    if !rustix::process::geteuid().is_root() {
        return skip("only root can give one capability away");
    }
    let mount = "mount -t tracefs tracefs /sys/kernel/tracing && test -e /sys/kernel/tracing/events/sock";
    if !in_own_mounts(mount).status().expect("unshare(1) exists").success() {
        return skip("tracefs cannot be mounted here");
    }
    let program = ProgramCopy::of(std::env::current_exe().expect("this test"), "test");
    let capabilities = "+perfmon,+dac_read_search";
    let as_nobody = format!(
        "{mount} && ulimit -l {LOCKED_MEMORY_KIB} && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
         --inh-caps={capabilities} --ambient-caps={capabilities} \"$0\" --exact \"$1\" --nocapture"
    );
    let status = in_own_mounts(&as_nobody).arg(&program.path).arg(this_test()).env(AS_NOBODY, "1").status();
    assert!(status.expect("unshare(1) exists").success());
}

fn in_own_mounts(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    command
}

fn see_transitions() {
    assert!(!rustix::process::geteuid().is_root());
    let mut tracked = TrackedSource::open_with_events(&Choice::Linux, true);
    assert_eq!(tracked.snapshot.events.event_status.trace, EventSourceStatus::On);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let step = tracked.wait_for_transition(client.local_addr().expect("bound").port(), Some(TcpState::Established));
    assert_eq!((step.from, step.source), (Some(TcpState::SynSent), EventSource::Tracepoint));
}
