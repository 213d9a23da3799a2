//! Two panels, one truth: what stands in two places is equal, whatever happens, and what is now lies between the lowest and
//! the highest of its chart.

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::{STATES, TcpState};
use conntop::model::testing::{SocketBuilder, listener, process, snapshot, source_info, tcp, udp};
use conntop::store::history::flow::FlowMeasure;
use conntop::table::units;
use conntop::tracker::Tracker;
use proptest::prelude::*;

use crate::typing::{picture, press};

/// What the rows of the last sample move together, as the graph of the flow writes it; `None` where no sample has counted yet.
fn traffic(app: &App) -> Option<String> {
    let (store, mut received) = (&app.store, 0);
    let (_, age) = store.history().latest_flow(FlowMeasure::Received)?;
    assert!(age.is_zero(), "every sample is a full one");
    let rows = store.rows().iter().map(|(_, row)| row);
    for row in rows.filter(|row| !row.is_closed() && !store.is_unlisted(row.connection.socket.id)) {
        received += row.connection.rates().map_or(0, |rates| rates.whole().received);
    }
    Some(format!("↓ {}", units::bytes_per_second(received)))
}

/// A socket of which a sample tells: its number, and what it is.
#[derive(Clone, Copy, Debug)]
enum Made {
    Tcp(TcpState),
    Listener,
    Udp,
}

/// The socket `number` after `seconds`, in which it has moved bytes.
fn built(number: u16, made: Made, seconds: u64) -> Socket {
    let port = 1_000 + number;
    let holder = [process(100 + u32::from(number % 5), "worker")];
    let connection = |state: TcpState| -> SocketBuilder {
        tcp(u64::from(number))
            .local(&format!("10.0.0.7:{port}"))
            .remote("10.0.0.9:443")
            .state(state)
            .bytes(seconds * 400, seconds * 90)
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

/// The counts of `picture` by the names of states, as far as they have a place of their own.
fn by_state(picture: &str) -> Vec<(&'static str, u64)> {
    let names =
        STATES.iter().filter(|row| !matches!(row.state, TcpState::Unconn | TcpState::Bound)).map(|row| row.name);
    // CLOSE is the beginning of other names, so a blank belongs to each.
    let count = |name: &'static str| Some((name, number_after(picture, &format!(" {name} "))?));
    names.chain(["UDP"]).filter_map(count).collect()
}

/// How many states share a place in `picture`, and how many sockets they have together.
fn others(picture: &str) -> (u64, u64) {
    let place = [" others ", " other "].iter().find_map(|word| Some((picture.find(word)?, *word)));
    let Some((at, word)) = place else { return (0, 0) };
    let states = picture[..at].rsplit(' ').next().and_then(|number| number.parse().ok()).expect("how many states");
    (states, number_after(picture, word).expect("how many sockets"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_that_stand_in_two_places_are_equal_and_now_lies_between_lowest_and_highest(samples in samples()) {
        let mut app = App::new(Config::new(source_info(), (160, 50)));
        let (mut tracker, mut now) = (Tracker::new(), 1_000_000);
        for (pause, sockets) in samples {
            now += pause;
            let sockets = sockets.into_iter().map(|(number, made)| built(number, made, now / 1_000));
            let truth = snapshot(now, sockets);
            let listed = truth.sockets.len() as u64;
            app.turn(Msg::Delta(Box::new(tracker.update(&truth))));
            press(&mut app, "1");
            let table = picture(&app);
            let header = table.lines().next().expect("a header").split(" socket").next().expect("a count");
            let header: u64 = header.rsplit(' ').next().expect("a number").replace(',', "").parse().expect("a number");
            let above = table.split(" Connections ").next().expect("the panels above the tabs");
            let (panel, (other_states, in_others)) = (by_state(above), others(above));
            let in_panel = panel.iter().map(|(_, count)| count).sum::<u64>();
            prop_assert_eq!(header, in_panel + in_others, "{}", table);
            prop_assert_eq!(panel.len() as u64 + other_states, 12, "each state is told of once\n{}", table);
            let flow = traffic(&app);
            prop_assert!(flow.as_ref().is_none_or(|flow| table.contains(flow)), "{:?}\n{}", flow, table);
            let of_all = title(&table);
            prop_assert_eq!(of_all.rsplit(" · ").next().unwrap_or_default(), header.to_string(), "{}", table);
            prop_assert_eq!(app.panels.connections.folded.view.sockets(), header, "folded lines add up\n{}", table);
            prop_assert!(header >= listed, "what is listed twice at least counts\n{}", table);

            press(&mut app, "5");
            for span in ["2 min", "15 min", "24 h"] {
                let states = picture(&app);
                prop_assert_eq!(title(&states), span);
                let tab = by_state(&states);
                prop_assert_eq!(tab.len(), 12, "{}", states);
                prop_assert!(panel.iter().all(|of_panel| tab.contains(of_panel)), "{:?}\n{}", panel, states);
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
