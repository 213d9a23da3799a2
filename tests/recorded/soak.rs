//! An hour of churn leaves in memory what a quarter of an hour does: every table has a limit, and stays at it.

use crate::churn::{SimulatedMachine, lines};

/// By then the longest memory is full: 20,000 paths, and as many names again of those that were given up.
const WARM: u64 = 1_200;
const HOUR: u64 = 3_600;

#[test]
fn an_hour_of_churn_takes_no_more_memory_than_its_first_third() {
    let mut machine = SimulatedMachine::new(100, 36);
    (0..WARM).for_each(|_| machine.tick());
    let warm = machine.table_sizes();
    (WARM..HOUR).for_each(|_| machine.tick());
    let hour = machine.table_sizes();
    assert_eq!(
        machine.sockets(),
        101 + 36 + 60 * 18 + 15,
        "what is open, a minute of TIME_WAIT, and whose end was not told"
    );
    println!("after {WARM} s:\n{}\nafter {HOUR} s:\n{}", lines(&warm), lines(&hour));
    assert_eq!(warm.len(), hour.len(), "the same tables");
    for (warm, hour) in warm.iter().zip(&hour) {
        assert_eq!(
            warm.bytes, hour.bytes,
            "bytes of {}, of which there were {} and are {}",
            warm.what, warm.len, hour.len
        );
    }
}

/// A minute of `TIME_WAIT`, and a little more until every table has the room that it needs.
const HELD_WARM: u64 = 180;
const HELD: u64 = 900;

#[test]
fn a_screen_that_is_held_for_a_quarter_of_an_hour_holds_no_more_than_after_three_minutes() {
    // Frozen, thawed, and held again by a dialog.
    let (mut machine, mut free) = (SimulatedMachine::new(100, 36), SimulatedMachine::new(100, 36));
    for _ in 0..WARM {
        machine.tick();
        free.tick();
    }
    for phase in ["frozen", "in a dialog"] {
        machine.hold();
        let mut waiting = Vec::new();
        for _ in 0..HELD {
            machine.tick();
            free.tick();
            waiting.push(machine.waiting_bytes());
        }
        let warm = waiting[..usize::try_from(HELD_WARM).expect("small")].iter().max().copied().unwrap_or_default();
        let most = waiting.iter().max().copied().unwrap_or_default();
        println!("{phase}: {} KiB after {HELD_WARM} s, at most {} KiB in {HELD} s", warm / 1_024, most / 1_024);
        assert!(most <= warm, "{phase}: {most} bytes, {warm} after {HELD_WARM} s");
        assert!(most < 8 * 1024 * 1024, "{phase}: {most} bytes");
        machine.go_on();
        assert_eq!((machine.waiting_bytes(), machine.sockets()), (0, free.sockets()), "{phase}");
        // What the rows needed at the most while they were taken in may stay; nothing grows from phase to phase.
        let (held, never) = (bytes(&machine), bytes(&free));
        assert!(held <= never + never / 4, "{phase}: {held} bytes, {never} without being held");
    }
}

fn bytes(machine: &SimulatedMachine) -> usize {
    machine.table_sizes().iter().map(|held| held.bytes).sum()
}
