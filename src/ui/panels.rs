//! The panels of the tabs, one file each.

mod connections;
mod findings;
mod groups;
pub(super) mod log;
mod network;
mod states;

use crate::app::App;
use crate::app::layout::Layout;
use crate::app::tabs::PanelFace;
use crate::ui::painter::Painter;

/// Draws the panel of the tab.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    match app.panels.face(app.tab) {
        PanelFace::Connections(panel) => connections::draw(painter, layout, app, panel),
        PanelFace::Processes(panel)
        | PanelFace::Remotes(panel)
        | PanelFace::Listeners(panel)
        | PanelFace::Ports(panel) => groups::draw(painter, layout, app, panel),
        PanelFace::States(panel) => states::draw(painter, layout.body, app, panel),
        PanelFace::Findings(panel) => findings::draw(painter, layout, app, panel),
        PanelFace::Log(panel) => log::draw(painter, layout, app, panel),
        PanelFace::Network(panel) => network::draw(painter, layout, app, panel),
    }
}
