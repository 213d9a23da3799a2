//! An hour of churn leaves in memory what a quarter of an hour does: every table has a limit, and stays at it.

#[path = "common/churn.rs"]
mod churn;

use churn::{World, lines};

/// By then the longest memory is full: 20,000 paths, and as many names again of those that were given up.
const WARM: u64 = 1_200;
const HOUR: u64 = 3_600;

#[test]
fn an_hour_of_churn_takes_no_more_memory_than_its_first_third() {
    let mut world = World::new(100, 36);
    (0..WARM).for_each(|_| world.tick());
    let warm = world.held();
    (WARM..HOUR).for_each(|_| world.tick());
    let hour = world.held();
    assert_eq!(
        world.sockets(),
        101 + 36 + 60 * 18 + 15,
        "what is open, a minute of TIME_WAIT, and whose end was not told"
    );
    println!("after {WARM} s:\n{}\nafter {HOUR} s:\n{}", lines(&warm), lines(&hour));
    for (warm, hour) in warm.iter().zip(&hour) {
        assert_eq!(
            warm.bytes, hour.bytes,
            "bytes of {}, of which there were {} and are {}",
            warm.what, warm.len, hour.len
        );
    }
}
