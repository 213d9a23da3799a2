//! Names of hosts on the screen: beside the address, marked as a hint, and the state of asking in the header.

use super::*;
use crate::app::settings::SharedSettings;
use crate::model::host_name::{HostName, Lookups};

/// An app with the first connection's peer named, if names are on.
fn named(size: (u16, u16), lookups: Lookups) -> App {
    let mut app = App::new(Config {
        settings: SharedSettings { lookups, ..SharedSettings::default() },
        ..Config::new(source_info(), size)
    });
    let sample = Delta {
        added: vec![connection(tcp(1).local("10.0.0.7:443").remote("8.8.4.4:40122"), 0)],
        at: Timestamp::from_millis(NOW * 1_000),
        ..Delta::default()
    };
    app.turn(Msg::Delta(Box::new(sample)));
    let addr = "8.8.4.4".parse().expect("an address");
    app.turn(Msg::HostNames(vec![(addr, HostName::new(b"web-8-8-4-4.compute.example.com"))]));
    app
}

#[test]
fn a_name_stands_beside_its_address_and_the_header_says_who_is_asked() {
    for (size, name) in [((80, 24), " web-8-8-4-….com "), ((120, 40), " web-8-8-4-4"), ((200, 60), " web-8-8-4-4")] {
        let text = screen(&named(size, Lookups::On));
        let row = text
            .lines()
            .find(|line| line.contains('▸') && line.contains("8.8.4.4:40122"))
            .unwrap_or_else(|| panic!("{text}"));
        assert!(row.contains(name) && text.contains("HOST?") && text.contains("DNS (n)"), "{text}");
        let text = screen(&named(size, Lookups::Off));
        assert!(!text.contains("HOST?") && !text.contains("web-8") && !text.contains("DNS"), "{text}");
        let text = screen(&named(size, Lookups::Forbidden));
        assert!(!text.contains("HOST?") && !text.contains("web-8") && text.contains("no DNS"), "{text}");
    }
}

#[test]
fn the_details_have_the_whole_name_and_say_whose_word_it_is() {
    let mut app = named((120, 40), Lookups::On);
    press(&mut app, &SINGLE);
    app.turn(Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
    let text = screen(&app);
    assert!(text.contains("8.8.4.4:40122"), "{text}");
    assert!(text.contains("reverse DNS   web-8-8-4-4.compute.example.com"), "{text}");
}
