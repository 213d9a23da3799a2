//! Two panels, one truth: what stands in two places is equal, whatever happens, and what is now lies between the lowest and
//! the highest of its chart.

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::{STATES, TcpState};
use conntop::model::testing::{SocketBuilder, listener, process, snapshot, source_info, tcp, udp};
use conntop::tracker::Tracker;
use proptest::prelude::*;

use crate::typing::{picture, press};

/// A socket of which a sample tells: its number, and what it is.
#[derive(Clone, Copy, Debug)]
enum Made {
    Tcp(TcpState),
    Listener,
    Udp,
}

fn built(number: u16, made: Made) -> Socket {
    let port = 1_000 + number;
    let holder = [process(100 + u32::from(number % 5), "worker")];
    let connection = |state: TcpState| -> SocketBuilder {
        tcp(u64::from(number)).local(&format!("10.0.0.7:{port}")).remote("10.0.0.9:443").state(state)
    };
    match made {
        Made::Tcp(state @ (TcpState::TimeWait | TcpState::SynRecv)) => connection(state).mini(state).build(),
        Made::Tcp(state) => connection(state).held_by(&holder).build(),
        Made::Listener => listener(u64::from(number), port).held_by(&holder).build(),
        Made::Udp => udp(u64::from(number), port).held_by(&holder).build(),
    }
}

fn made() -> impl Strategy<Value = Made> {
    let states: Vec<TcpState> = STATES.iter().map(|row| row.state).filter(|state| is_of_connection(*state)).collect();
    prop_oneof![6 => proptest::sample::select(states).prop_map(Made::Tcp), 1 => Just(Made::Listener), 1 => Just(Made::Udp)]
}

const fn is_of_connection(state: TcpState) -> bool {
    !matches!(state, TcpState::Listen | TcpState::Unconn | TcpState::Bound)
}

/// Samples, each so many milliseconds after the one before.
fn samples() -> impl Strategy<Value = Vec<(u64, Vec<(u16, Made)>)>> {
    let sockets = proptest::collection::btree_map(0..60_u16, made(), 0..40).prop_map(|map| map.into_iter().collect());
    let pause = prop_oneof![3 => Just(1_000_u64), 1 => 100..900_u64, 1 => 2_000..50_000_u64];
    proptest::collection::vec((pause, sockets), 1..14)
}

/// The number that stands after `name`; not the span in the title of a chart.
fn number_after(picture: &str, name: &str) -> Option<u64> {
    let number = |(at, _): (usize, &str)| {
        let rest = picture[at + name.len()..].trim_start_matches(' ');
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != ',').unwrap_or(rest.len());
        let is_span = [" min ·", " h ·"].iter().any(|unit| rest[end..].starts_with(unit));
        rest[..end].replace(',', "").parse().ok().filter(|_| !is_span)
    };
    picture.match_indices(name).find_map(number)
}

/// The line of tabs, whose right end is the title of the table below.
fn title(picture: &str) -> &str {
    let line = picture.lines().find(|line| line.contains(" Connections ")).expect("the line of tabs");
    line.trim_matches('"').trim_end_matches('─').trim_end().rsplit('─').next().expect("a title").trim()
}

/// The counts of `picture` by the names of states.
fn by_state(picture: &str) -> Vec<(&'static str, u64)> {
    let names =
        STATES.iter().filter(|row| !matches!(row.state, TcpState::Unconn | TcpState::Bound)).map(|row| row.name);
    // CLOSE is the beginning of other names, so a blank belongs to each.
    let count = |name: &'static str| {
        let number = number_after(picture, &format!(" {name} "));
        (name, number.unwrap_or_else(|| panic!("{name} is missing\n{picture}")))
    };
    names.chain(["UDP"]).map(count).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_that_stand_in_two_places_are_equal_and_now_lies_between_lowest_and_highest(samples in samples()) {
        let mut app = App::new(Config::new(source_info(), (160, 50)));
        let (mut tracker, mut now) = (Tracker::new(), 1_000_000);
        for (pause, sockets) in samples {
            now += pause;
            let sockets = sockets.into_iter().map(|(number, made)| built(number, made));
            let truth = snapshot(now, sockets);
            let listed = truth.sockets.len() as u64;
            app.turn(Msg::Delta(Box::new(tracker.update(&truth))));
            press(&mut app, "1");
            let table = picture(&app);
            let header = table.lines().next().expect("a header").split(" socket").next().expect("a count");
            let header: u64 = header.rsplit(' ').next().expect("a number").replace(',', "").parse().expect("a number");
            let panel = by_state(&table);
            prop_assert_eq!(header, panel.iter().map(|(_, count)| count).sum::<u64>(), "{}", table);
            let of_all = title(&table);
            prop_assert_eq!(of_all.rsplit(" · ").next().unwrap_or_default(), header.to_string(), "{}", table);
            prop_assert_eq!(app.panels.connections.folded.view.sockets(), header, "folded lines add up\n{}", table);
            prop_assert!(header >= listed, "what is listed twice at least counts\n{}", table);

            press(&mut app, "5");
            for span in ["2 min", "15 min", "24 h"] {
                let states = picture(&app);
                prop_assert_eq!(title(&states), span);
                let tab = by_state(&states);
                prop_assert_eq!(&tab, &panel, "{}", states);
                let shown = number_after(&states, "· lowest").zip(number_after(&states, ", highest"));
                let (lowest, highest) = shown.unwrap_or_else(|| panic!("no bounds\n{states}"));
                let (name, count) = selected(&states, &tab);
                prop_assert!(lowest <= count && count <= highest, "{name} {count}: {lowest} to {highest}\n{states}");
                press(&mut app, "w");
            }
            press(&mut app, "j");
        }
    }
}

/// The state whose chart is shown, and its count.
fn selected(picture: &str, counts: &[(&'static str, u64)]) -> (&'static str, u64) {
    let (head, _) = picture.split_once("· lowest").expect("the title of the chart");
    let line = head.lines().last().expect("a line");
    let found = counts.iter().rev().find(|(name, _)| line.rsplit("  ").any(|part| part.trim() == *name));
    *found.unwrap_or_else(|| panic!("no state in {line}"))
}
