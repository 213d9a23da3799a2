//! Keys into the app, and the screen out of it as text.

use conntop::app::App;
use conntop::app::msg::Msg;
use conntop::ui;
use conntop::ui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

/// Types `keys`: characters as they are, `⏎` for Enter, `⎋` for Escape.
pub fn press(app: &mut App, keys: &str) {
    for character in keys.chars() {
        let code = match character {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            character => KeyCode::Char(character),
        };
        app.turn(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

/// The screen of `app`, as large as its terminal, one line of text a row.
pub fn picture(app: &App) -> String {
    terminal(app, &Theme::default()).backend().to_string()
}

/// The cells of the screen of `app` in `theme`.
pub fn drawn(app: &App, theme: &Theme) -> Buffer {
    terminal(app, theme).backend().buffer().clone()
}

fn terminal(app: &App, theme: &Theme) -> Terminal<TestBackend> {
    let (width, height) = app.config.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it draws into memory");
    terminal.draw(|frame| ui::draw(frame, app, theme)).expect("it draws into memory");
    terminal
}
