//! The detail view: the lines that `app::detail` made, in one to three columns, with the way the connection took.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::detail::page::DetailPage;
use crate::app::detail::{columns, open_path, picture};
use crate::ui::painter::Painter;
use crate::ui::prose;
use crate::ui::state_diagram::Picture;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, body: Rect, app: &App, detail: &DetailPage) {
    let path = open_path(app);
    let picture = picture(app, body.width).zip(path.as_ref()).map(|(drawing, path)| Picture::new(drawing, path));
    prose::draw(painter, body, &columns(app, body.width), detail.scroll, picture.as_ref());
}
