//! `--low-bandwidth`: nothing is drawn that moves by itself; and where the terminal's cursor rests.

use super::*;
use ratatui::style::Modifier;

/// The app with the setting, of this size.
fn slow(size: (u16, u16)) -> App {
    let mut config = Config::new(source_info(), size);
    config.settings.low_bandwidth = true;
    let mut app = App::new(config);
    app.turn(Msg::Delta(Box::new(with_network(first_sample(), NOW - 1))));
    app.turn(Msg::Delta(Box::new(with_network(second_sample(), NOW))));
    app
}

fn is_graph(symbol: &str) -> bool {
    symbol.chars().any(|character| matches!(character, '▁'..='▇' | '⠁'..='⣿'))
}

#[test]
fn with_low_bandwidth_no_tab_has_a_trend_or_a_graph_and_without_it_several_have() {
    let mut with_graphs = 0;
    for size in [(80, 24), (120, 40), (200, 60), (250, 70)] {
        let (mut still, mut moving) = (slow(size), app(size));
        for row in TABS {
            for app in [&mut still, &mut moving] {
                type_keys(app, &row.number().to_string());
                app.background(usize::MAX);
            }
            let count = |app: &App, theme: &Theme| {
                drawn(app, theme).backend().buffer().content().iter().filter(|cell| is_graph(cell.symbol())).count()
            };
            assert_eq!(
                count(&still, &Theme::default().with_still(true)),
                0,
                "{} at {size:?}\n{}",
                row.title,
                screen(&still)
            );
            with_graphs += usize::from(count(&moving, &Theme::default()) > 0);
        }
    }
    assert!(with_graphs > 10, "{with_graphs}: this proves little");
}

#[test]
fn the_cursor_of_the_terminal_rests_on_the_selected_row_of_every_tab_and_menu() {
    for size in [(40, 10), (80, 24), (120, 40)] {
        for row in TABS {
            let mut app = app(size);
            type_keys(&mut app, &row.number().to_string());
            app.background(usize::MAX);
            for _ in 0..3 {
                press(&mut app, &[KeyCode::Down]);
                let terminal = drawn(&app, &Theme::default());
                let cell = &terminal.backend().buffer()[app.resting_cell()];
                assert!(
                    cell.modifier.contains(Modifier::REVERSED),
                    "{} at {size:?}: {:?}\n{}",
                    row.title,
                    app.resting_cell(),
                    screen(&app)
                );
            }
        }
        let mut app = app(size);
        type_keys(&mut app, ":");
        (0..12).for_each(|_| press(&mut app, &[KeyCode::Down]));
        let terminal = drawn(&app, &Theme::default());
        assert!(
            terminal.backend().buffer()[app.resting_cell()].modifier.contains(Modifier::REVERSED),
            "{}",
            screen(&app)
        );
    }
}
