//! The key table: which key does what, where. Handling, help, footer, palette and README follow from it.

use crate::app::App;
use crate::app::action::{Edit, Motion};
use crate::app::binding::{Binding, KeyContext, KeyScope, MAIN, PanelAbility, Run, on};
use crate::app::columns::ColumnChange;
use crate::app::effect::Effect;
use crate::app::keymap::key::{
    BACK_TAB, BACKSPACE, CONTROL_LEFT, CONTROL_RIGHT, DELETE, DOWN, END, ENTER, ESC, HOME, LEFT, PAGE_DOWN, PAGE_UP,
    RIGHT, TAB, UP, char, ctrl, function,
};
use crate::app::selection::SelectionKind;
use crate::app::tabs::TABS;

pub mod key;
pub mod remap;

use KeyScope::{
    Columns, Confirm, ConfirmClose, ConfirmKill, ConfirmSave, ConfirmWord, Detail, Explain, FileName, Filter, Help,
    HelpSearch, Menu, Palette, Table, Time,
};
use PanelAbility::{Cell, Fold, Follow, Sort, Span, Tag};
use Run::{Ask, Back, Change, Confirm as Yes};

const LISTS: &[KeyScope] =
    &[Table, Detail, Menu, Columns, ConfirmSave, Help, Explain, Confirm, ConfirmKill, ConfirmClose];
/// The same without the tabs and the details.
const OPEN_LISTS: &[KeyScope] = &[Menu, Columns, ConfirmSave, Help, Explain, Confirm, ConfirmKill, ConfirmClose];
/// All scopes.
const EVERYWHERE: &[KeyScope] = &[
    Table,
    Detail,
    Filter,
    FileName,
    Time,
    Menu,
    Columns,
    Palette,
    Confirm,
    ConfirmWord,
    ConfirmKill,
    ConfirmClose,
    ConfirmSave,
    Help,
    HelpSearch,
    Explain,
];

/// What has processes that can be sent a signal.
const OWNED: &[SelectionKind] = &[SelectionKind::Socket, SelectionKind::Group, SelectionKind::Finding];
const NO_OWNER: &str = "choose a connection or a process first: ‹tab-connections› or ‹tab-processes› shows them";
/// What stands for sockets that can be closed.
const SOCKETS: &[SelectionKind] = &[SelectionKind::Socket, SelectionKind::Group, SelectionKind::LogLine];
const NO_SOCKET: &str = "choose one socket first: ‹open› shows those of this row";

/// The action of the key that opens the selected row; a click on it does the same.
pub(in crate::app) const OPEN: &str = "open";
/// The action of the key that lists all actions.
pub(in crate::app) const PALETTE: &str = "palette";
/// The action of the key that leaves the program where nothing is open.
pub(in crate::app) const QUIT: &str = "quit";
/// The action of the key that leaves the program from anywhere.
const QUIT_ANYWHERE: &str = "quit-anywhere";

/// The keys that move, and that lead to the next tab.
#[rustfmt::skip]
const MOVING: &[Binding] = &[
    // Moving
    Binding { action: "down",         keys: &[DOWN, char('j')],                 name: "down",      help: "down one line",                             on: on(LISTS),                 run: Change(|app| app.go(Motion::Down)),       footer: 0 },
    Binding { action: "up",           keys: &[UP, char('k')],                   name: "up",        help: "up one line",                               on: on(LISTS),                 run: Change(|app| app.go(Motion::Up)),         footer: 0 },
    Binding { action: "page-down",    keys: &[PAGE_DOWN, ctrl('d'), ctrl('f')], name: "page down", help: "down one page",                             on: on(LISTS),                 run: Change(|app| app.go(Motion::PageDown)),   footer: 0 },
    Binding { action: "page-up",      keys: &[PAGE_UP, ctrl('u'), ctrl('b')],   name: "page up",   help: "up one page",                               on: on(LISTS),                 run: Change(|app| app.go(Motion::PageUp)),     footer: 0 },
    Binding { action: "first",        keys: &[HOME, char('^')],                 name: "first",     help: "to the first line",                         on: on(LISTS),                 run: Change(|app| app.go(Motion::First)),      footer: 0 },
    Binding { action: "last",         keys: &[char('G')],                       name: "last",      help: "to the last line",                          on: on(LISTS),                 run: Change(|app| app.go(Motion::Last)),       footer: 0 },
    Binding { action: "end",          keys: &[END],                             name: "now",       help: "the past: to now; else to the last line",   on: on(MAIN),                  run: Ask(App::go_to_end),                      footer: 0 },
    Binding { action: "list-end",     keys: &[END],                             name: "last",      help: "to the last line",                          on: on(OPEN_LISTS),            run: Change(|app| app.go(Motion::Last)),       footer: 0 },
    Binding { action: OPEN,           keys: &[ENTER],                           name: "open",      help: "details; of a group its connections",       on: on(&[Table]),              run: Change(App::open),                        footer: 5 },
    Binding { action: "back",         keys: &[ESC],                             name: "back",      help: "back: close this, clear the filter",        on: on(EVERYWHERE),            run: Back(App::back),                          footer: 11 },
    Binding { action: "follow",       keys: &[char('F')],                       name: "follow",    help: "keep the selected row on its line, or not", on: on(&[Table]).with(Follow), run: Change(App::follow),                      footer: 0 },
    // Looking
    Binding { action: "next-cell",     keys: &[TAB],                            name: "next cell", help: "the next cell of the row, for = and !", on: on(&[Table]).with(Cell),  run: Change(|app| app.step_cell(1)),           footer: 0 },
    Binding { action: "previous-cell", keys: &[BACK_TAB],                       name: "cell left", help: "the cell to the left",                      on: on(&[Table]).with(Cell),   run: Change(|app| app.step_cell(-1)),          footer: 0 },
    Binding { action: "next-tab",     keys: &[CONTROL_RIGHT],                             name: "next tab",  help: "the next tab",                              on: on(&[Table]),              run: Change(|app| app.show(app.tab.step(1))),  footer: 0 },
    Binding { action: "previous-tab", keys: &[CONTROL_LEFT],                    name: "previous",  help: "the previous tab",                          on: on(&[Table]),              run: Change(|app| app.show(app.tab.step(-1))), footer: 0 },
];

/// All other keys but those of the tabs, which stand in [`TABS`].
#[rustfmt::skip]
const OTHERS: &[Binding] = &[
    // Looking
    Binding { action: "filter",           keys: &[char('/'), function(4)],            name: "filter",      help: "filter connections, as in state:close-wait", on: on(&[Table]),                                                   run: Change(App::edit_filter),                                  footer: 2 },
    Binding { action: "only-this",        keys: &[char('=')],                         name: "only this",   help: "filter: only rows with this cell's value",   on: on(&[Table]).with(Cell),                                        run: Change(App::only_this),                                    footer: 9 },
    Binding { action: "not-this",         keys: &[char('!')],                         name: "not this",    help: "filter: no rows with this cell's value",     on: on(&[Table]).with(Cell),                                        run: Change(App::not_this),                                     footer: 0 },
    Binding { action: "sort",             keys: &[char('s'), function(6)],            name: "sort",        help: "choose the column to sort by",               on: on(&[Table]).with(Sort),                                        run: Change(App::open_sort_menu),                               footer: 9 },
    Binding { action: "sort-left",        keys: &[char('<')],                         name: "sort left",   help: "sort by the column to the left",             on: on(&[Table]).with(Sort),                                        run: Change(|app| app.step_sort(-1)),                           footer: 0 },
    Binding { action: "sort-right",       keys: &[char('>')],                         name: "sort right",  help: "sort by the column to the right",            on: on(&[Table]).with(Sort),                                        run: Change(|app| app.step_sort(1)),                            footer: 0 },
    Binding { action: "reverse-sort",     keys: &[char('I'), char('r')],              name: "reverse",     help: "reverse the sort",                           on: on(&[Table]).with(Sort),                                        run: Change(App::invert_sort),                                  footer: 0 },
    Binding { action: "columns",          keys: &[char('C')],                         name: "columns",     help: "choose columns, their order and width",      on: on(&[Table]).with(Sort),                                        run: Change(App::open_column_chooser),                          footer: 0 },
    Binding { action: "span",             keys: &[char('w')],                         name: "span",        help: "States: charts of 2 min, 15 min or 24 h",    on: on(&[Table]).with(Span),                                        run: Change(App::next_span),                                    footer: 3 },
    Binding { action: "group",            keys: &[char('t'), function(5)],            name: "group",       help: "fold by cause, process, unit, remote, port", on: on(&[Table]),                                                   run: Change(App::open_folding_menu),                                        footer: 4 },
    Binding { action: "unfold",           keys: &[RIGHT, char('l')],                  name: "unfold",      help: "show the sockets of a line, or next cell",     on: on(&[Table]).with(Fold).or_else_on_cells(|app| app.step_cell(1)),    run: Change(App::unfold),                                       footer: 6 },
    Binding { action: "fold",             keys: &[LEFT, char('h')],                   name: "fold",        help: "hide them again, or the cell before",        on: on(&[Table]).with(Fold).or_else_on_cells(|app| app.step_cell(-1)),   run: Change(App::fold),                                         footer: 0 },
    Binding { action: "inspector",        keys: &[char('i')],                         name: "inspector",   help: "details beside the table, from 160 columns", on: on(&[Table]),                                                   run: Change(App::toggle_inspector),                             footer: 0 },
    Binding { action: "freeze",           keys: &[char('z'), char('Z')],              name: "freeze",      help: "stop the clock, or let it run; all is kept", on: on(MAIN),                                                       run: Ask(App::toggle_freeze),                                footer: 0 },
    Binding { action: "slower",           keys: &[char('+')],                         name: "slower",      help: "more time between samples",                  on: on(MAIN),                                                       run: Ask(|app| app.step_interval(true)),                        footer: 0 },
    Binding { action: "faster",           keys: &[char('-')],                         name: "faster",      help: "less time between samples",                  on: on(MAIN),                                                       run: Ask(|app| app.step_interval(false)),                       footer: 0 },
    Binding { action: "names",            keys: &[char('n')],                         name: "names",       help: "names of the hosts on the screen, or none",  on: on(MAIN),                                                       run: Ask(App::toggle_lookups),                                  footer: 0 },
    Binding { action: "namespaces",       keys: &[char('N')],                         name: "namespaces",  help: "all network namespaces, or only this one",   on: on(MAIN),                                                       run: Ask(App::toggle_namespaces),                               footer: 0 },
    Binding { action: "reset",            keys: &[char('R')],                         name: "reset",       help: "count lowest, highest, marks from now",      on: on(MAIN),                                                       run: Change(App::reset_counters),                               footer: 0 },
    Binding { action: "theme",            keys: &[char('T')],                         name: "theme",       help: "choose the colours of the screen",           on: on(MAIN),                                                       run: Change(App::open_theme_menu),                              footer: 0 },
    Binding { action: "closed",           keys: &[char('H')],                         name: "closed",      help: "ended connections; again: every change", on: on(MAIN),                                                  run: Change(App::show_closed),                                  footer: 0 },
    Binding { action: "log-of-row",       keys: &[char('L')],                         name: "its log",     help: "what the log has of this row",               on: on(MAIN),                                                       run: Change(App::show_log_of_row),                              footer: 0 },
    Binding { action: "explain",          keys: &[char('e')],                         name: "explain",     help: "what it means, what to do about it",         on: on(&[Table, Detail, Explain]),                                  run: Change(App::toggle_explanation),                           footer: 6 },
    // The clock
    Binding { action: "sample-back",      keys: &[char('[')],                         name: "back",        help: "the sample before, up to 15 minutes ago",    on: on(MAIN),                                                       run: Ask(|app| app.step_sample(true)),                          footer: 0 },
    Binding { action: "sample-on",        keys: &[char(']')],                         name: "on",          help: "the next sample",                            on: on(MAIN),                                                       run: Ask(|app| app.step_sample(false)),                         footer: 0 },
    Binding { action: "minute-back",      keys: &[char('{')],                         name: "min back",    help: "a minute back",                              on: on(MAIN),                                                       run: Ask(|app| app.step_minute(true)),                          footer: 0 },
    Binding { action: "minute-on",        keys: &[char('}')],                         name: "min on",      help: "a minute on",                                on: on(MAIN),                                                       run: Ask(|app| app.step_minute(false)),                         footer: 0 },
    Binding { action: "go-to",            keys: &[char('g')],                         name: "go to",       help: "go to a time, as in 14:05 or -5m",           on: on(MAIN),                                                       run: Change(App::ask_for_time),                                 footer: 0 },
    Binding { action: "play-slower",      keys: &[char('(')],                         name: "slower",      help: "a recording, or the past, runs slower",      on: on(MAIN),                                                       run: Ask(|app| app.step_speed(-1)),                             footer: 0 },
    Binding { action: "play-faster",      keys: &[char(')')],                         name: "faster",      help: "the same, faster: up to 64 times",           on: on(MAIN),                                                       run: Ask(|app| app.step_speed(1)),                              footer: 0 },
    Binding { action: "next-finding",     keys: &[char('m')],                         name: "next mark",   help: "to where the next finding began",            on: on(MAIN),                                                       run: Ask(|app| app.go_to_mark(false)),                          footer: 0 },
    Binding { action: "finding-before",   keys: &[char('M')],                         name: "mark back",   help: "to where the finding before began",          on: on(MAIN),                                                       run: Ask(|app| app.go_to_mark(true)),                           footer: 0 },
    Binding { action: "next-change",      keys: &[char('.')],                         name: "next change", help: "to the next change of this socket",          on: on(MAIN),                                                       run: Ask(App::go_to_next_change),                               footer: 0 },
    Binding { action: "change-before",    keys: &[char(',')],                         name: "change back", help: "to the change of this socket before",        on: on(MAIN),                                                       run: Ask(App::go_to_change_before),                             footer: 0 },
    Binding { action: "time-bar",         keys: &[char('b')],                         name: "time bar",    help: "show the bar of the time, or hide it",       on: on(MAIN),                                                       run: Change(App::toggle_time_bar),                              footer: 0 },
    // Acting
    Binding { action: "kill",             keys: &[char('K'), function(9)],            name: "kill",        help: "send a signal to the owner; asks first",     on: on(MAIN).selected(OWNED, NO_OWNER).changing_machine().acting_now(),          run: Change(App::ask_for_signal),                               footer: 7 },
    Binding { action: "escalate",         keys: &[char('E')],                         name: "KILL",        help: "KILL what did not end on TERM; asks first",  on: on(MAIN).changing_machine().acting_now(),                                    run: Change(App::escalate),                                     footer: 0 },
    Binding { action: "tag",              keys: &[char(' ')],                         name: "tag",         help: "tag the row or untag it, and go down",       on: on(&[Table]).with(Tag),                                         run: Change(App::toggle_tag),                                   footer: 9 },
    Binding { action: "tag-all",          keys: &[char('*')],                         name: "tag all",     help: "tag all rows that are shown",                on: on(&[Table]).with(Tag),                                         run: Change(App::tag_all),                                      footer: 0 },
    Binding { action: "untag-all",        keys: &[char('U')],                         name: "untag",       help: "untag all rows",                             on: on(&[Table]).with(Tag),                                         run: Change(App::untag_all),                                    footer: 0 },
    Binding { action: "export",           keys: &[char('o')],                         name: "export",      help: "write the tagged rows to a new file",        on: on(&[Table]).with(Tag).changing_machine(),                      run: Change(App::ask_for_export_path),                          footer: 0 },
    Binding { action: "copy",             keys: &[char('y')],                         name: "copy",        help: "copy the row, an address or a command",      on: on(MAIN),                                                       run: Change(App::open_copy_menu),                               footer: 0 },
    Binding { action: "close",            keys: &[char('X')],                         name: "close",       help: "close just this socket; asks first",         on: on(MAIN).selected(SOCKETS, NO_SOCKET).changing_machine().acting_now(),       run: Change(App::ask_to_close),                                 footer: 10 },
    // Menus and dialogs
    Binding { action: "choose",           keys: &[ENTER],                             name: "choose",      help: "take the selected line",                     on: on(&[Menu]),                                                    run: Ask(App::choose),                                          footer: 1 },
    Binding { action: "confirm-signal",   keys: &[char('y')],                         name: "send",        help: "do exactly what the dialog shows",           on: on(&[Confirm]),                                                 run: Yes(App::confirm),                                         footer: 1 },
    Binding { action: "confirm-word",     keys: &[ENTER],                             name: "do it",       help: "do it, once the word is typed",              on: on(&[ConfirmWord]),                                             run: Yes(App::confirm),                                         footer: 1 },
    Binding { action: "erase-word",       keys: &[BACKSPACE, ctrl('h')],              name: "delete",      help: "delete the last letter of the word",         on: on(&[ConfirmWord]),                                             run: Change(App::erase_word),                                   footer: 0 },
    Binding { action: "confirm-kill",     keys: &[char('K')],                         name: "send KILL",   help: "the second yes, which KILL needs",           on: on(&[ConfirmKill]),                                             run: Yes(App::confirm_kill),                                    footer: 1 },
    Binding { action: "word-page-down",   keys: &[DOWN, PAGE_DOWN],                   name: "page down",   help: "the next page of the list of targets",       on: on(&[ConfirmWord]),                                             run: Change(|app| app.go(Motion::PageDown)),                    footer: 0 },
    Binding { action: "word-page-up",     keys: &[UP, PAGE_UP],                       name: "page up",     help: "the page before",                            on: on(&[ConfirmWord]),                                             run: Change(|app| app.go(Motion::PageUp)),                      footer: 0 },
    Binding { action: "confirm-close",    keys: &[char('y')],                         name: "close",       help: "close exactly what the dialog shows",                  on: on(&[ConfirmClose]),                                            run: Yes(App::confirm),                                         footer: 1 },
    // The column chooser
    Binding { action: "column-show",      keys: &[char(' '), ENTER],                  name: "show/hide",   help: "show the column, or hide it",                on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::ShowOrHide)), footer: 1 },
    Binding { action: "column-left",      keys: &[char('<'), LEFT],                   name: "left",        help: "put the column further to the left",         on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::Move(-1))),   footer: 2 },
    Binding { action: "column-right",     keys: &[char('>'), RIGHT],                  name: "right",       help: "put the column further to the right",        on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::Move(1))),    footer: 3 },
    Binding { action: "column-wider",     keys: &[char('+')],                         name: "wider",       help: "make the column wider",                      on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::Widen(1))),   footer: 4 },
    Binding { action: "column-narrower",  keys: &[char('-')],                         name: "narrower",    help: "make the column narrower",                   on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::Widen(-1))),  footer: 5 },
    Binding { action: "column-width",     keys: &[char('a')],                         name: "auto width",  help: "let the content decide the width",           on: on(&[Columns]),                                                 run: Change(|app| app.change_chosen_column(ColumnChange::FindWidth)),  footer: 6 },
    Binding { action: "column-reset",     keys: &[char('r')],                         name: "reset",       help: "the columns that the table has by itself",   on: on(&[Columns]),                                                 run: Change(App::reset_columns),                                       footer: 7 },
    // The list of actions
    Binding { action: "palette-run",      keys: &[ENTER],                             name: "run",         help: "run the selected action",                    on: on(&[Palette]),                                                 run: Ask(App::choose),                                          footer: 1 },
    Binding { action: "palette-down",     keys: &[DOWN, ctrl('n')],                   name: "down",        help: "down one action",                            on: on(&[Palette]),                                                 run: Change(|app| app.go(Motion::Down)),                        footer: 0 },
    Binding { action: "palette-up",       keys: &[UP, ctrl('p')],                     name: "up",          help: "up one action",                              on: on(&[Palette]),                                                 run: Change(|app| app.go(Motion::Up)),                          footer: 0 },
    Binding { action: "palette-erase",    keys: &[BACKSPACE, ctrl('h')],              name: "delete",      help: "delete the last letter typed",               on: on(&[Palette]),                                                 run: Change(App::erase_palette),                                footer: 0 },
    // The filter line
    Binding { action: "apply-filter",     keys: &[ENTER],                             name: "apply",       help: "keep the filter",                            on: on(&[Filter]),                                                  run: Change(App::accept_filter),                                footer: 1 },
    Binding { action: "complete",         keys: &[TAB],                               name: "complete",    help: "the next key or value that fits here",       on: on(&[Filter]),                                                  run: Change(|app| app.complete_filter(1)),                      footer: 2 },
    Binding { action: "complete-back",    keys: &[BACK_TAB],                          name: "back",        help: "the key or value before it",                 on: on(&[Filter]),                                                  run: Change(|app| app.complete_filter(-1)),                     footer: 0 },
    Binding { action: "save-filter",      keys: &[ctrl('s')],                         name: "save as",     help: "save the filter under a name, for @name",    on: on(&[Table, Filter]),                                           run: Change(App::ask_for_filter_name),                          footer: 0 },
    Binding { action: "edit-left",        keys: &[LEFT, ctrl('b')],                   name: "left",        help: "cursor to the left",                         on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Left)),          footer: 0 },
    Binding { action: "edit-right",       keys: &[RIGHT, ctrl('f')],                  name: "right",       help: "cursor to the right",                        on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Right)),         footer: 0 },
    Binding { action: "edit-start",       keys: &[HOME, ctrl('a')],                   name: "start",       help: "cursor to the start",                        on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Start)),         footer: 0 },
    Binding { action: "edit-end",         keys: &[END, ctrl('e')],                    name: "end",         help: "cursor to the end",                          on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::End)),           footer: 0 },
    Binding { action: "edit-delete-back", keys: &[BACKSPACE, ctrl('h')],              name: "delete back", help: "delete before the cursor",                   on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Backspace)),     footer: 0 },
    Binding { action: "edit-delete",      keys: &[DELETE, ctrl('d')],                 name: "delete",      help: "delete under the cursor",                    on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Delete)),        footer: 0 },
    Binding { action: "edit-delete-word", keys: &[ctrl('w')],                         name: "delete word", help: "delete the word before the cursor",          on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::DeleteWord)),    footer: 3 },
    Binding { action: "edit-clear",       keys: &[ctrl('u')],                         name: "clear",       help: "delete to the start",                        on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::DeleteToStart)), footer: 4 },
    Binding { action: "edit-older",       keys: &[UP, ctrl('p')],                     name: "older",       help: "the filter before this one",                 on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Older)),         footer: 5 },
    Binding { action: "edit-newer",       keys: &[DOWN, ctrl('n')],                   name: "newer",       help: "the filter after this one",                  on: on(&[Filter]),                                                  run: Change(|app| app.change_filter_line(Edit::Newer)),         footer: 0 },
    // The name of a file
    Binding { action: "write-file",       keys: &[ENTER],                             name: "write",       help: "write the new file",                         on: on(&[FileName]),                                                run: Change(App::accept_path),                                  footer: 1 },
    Binding { action: "name-left",        keys: &[LEFT, ctrl('b')],                   name: "left",        help: "cursor to the left",                         on: on(&[FileName]),                                                run: Change(|app| app.change_path_line(Edit::Left)),            footer: 0 },
    Binding { action: "name-right",       keys: &[RIGHT, ctrl('f')],                  name: "right",       help: "cursor to the right",                        on: on(&[FileName]),                                                run: Change(|app| app.change_path_line(Edit::Right)),           footer: 0 },
    Binding { action: "name-delete-back", keys: &[BACKSPACE, ctrl('h')],              name: "delete back", help: "delete before the cursor",                   on: on(&[FileName]),                                                run: Change(|app| app.change_path_line(Edit::Backspace)),       footer: 0 },
    Binding { action: "name-delete-word", keys: &[ctrl('w')],                         name: "delete word", help: "delete the word before the cursor",          on: on(&[FileName]),                                                run: Change(|app| app.change_path_line(Edit::DeleteWord)),      footer: 2 },
    Binding { action: "name-clear",       keys: &[ctrl('u')],                         name: "clear",       help: "delete to the start",                        on: on(&[FileName]),                                                run: Change(|app| app.change_path_line(Edit::DeleteToStart)),   footer: 3 },
    // A time
    Binding { action: "go-there",         keys: &[ENTER],                             name: "go",          help: "go to the time",                             on: on(&[Time]),                                                    run: Ask(App::accept_time),                                     footer: 1 },
    Binding { action: "time-left",        keys: &[LEFT, ctrl('b')],                   name: "left",        help: "cursor to the left",                         on: on(&[Time]),                                                    run: Change(|app| app.change_time_line(Edit::Left)),            footer: 0 },
    Binding { action: "time-right",       keys: &[RIGHT, ctrl('f')],                  name: "right",       help: "cursor to the right",                        on: on(&[Time]),                                                    run: Change(|app| app.change_time_line(Edit::Right)),           footer: 0 },
    Binding { action: "time-delete-back", keys: &[BACKSPACE, ctrl('h')],              name: "delete back", help: "delete before the cursor",                   on: on(&[Time]),                                                    run: Change(|app| app.change_time_line(Edit::Backspace)),       footer: 0 },
    Binding { action: "time-clear",       keys: &[ctrl('u')],                         name: "clear",       help: "delete to the start",                        on: on(&[Time]),                                                    run: Change(|app| app.change_time_line(Edit::DeleteToStart)),   footer: 2 },
    // The program
    Binding { action: "help",             keys: &[char('?'), function(1)],            name: "help",        help: "these keys; again to go back",               on: on(&[Table, Detail, Help]),                                     run: Change(App::toggle_help),                                  footer: 1 },
    Binding { action: "help-search",      keys: &[char('/')],                         name: "find",        help: "find lines of the help",                     on: on(&[Help]),                                                    run: Change(App::search_help),                                  footer: 2 },
    Binding { action: "help-search-keep", keys: &[ENTER],                             name: "keep",        help: "keep to the lines that have it",             on: on(&[HelpSearch]),                                              run: Change(App::keep_help_search),                             footer: 1 },
    Binding { action: "help-search-erase", keys: &[BACKSPACE, ctrl('h')],             name: "delete",      help: "delete the last letter",                     on: on(&[HelpSearch]),                                              run: Change(App::erase_help_search),                            footer: 0 },
    Binding { action: PALETTE,            keys: &[char(':')],                         name: "actions",     help: "everything that can be done; type to find", on: on(MAIN),                                                       run: Change(App::open_palette),                                 footer: 12 },
    Binding { action: "save-config",      keys: &[char('W')],                         name: "save",        help: "save what was changed on the screen",        on: on(&[Table]).changing_machine(),                                run: Ask(App::save_config),                                     footer: 0 },
    Binding { action: "confirm-save",     keys: &[char('y')],                         name: "save it",     help: "write the file as it is shown",              on: on(&[ConfirmSave]),                                             run: Yes(App::confirm_save),                                    footer: 1 },
    Binding { action: "redraw",           keys: &[ctrl('l')],                         name: "redraw",      help: "draw everything again",                      on: on(EVERYWHERE),                                                 run: Ask(|_| vec![Effect::Redraw]),                             footer: 0 },
    Binding { action: "suspend",          keys: &[ctrl('z')],                         name: "suspend",     help: "stop conntop; fg brings it back",            on: on(EVERYWHERE),                                                 run: Ask(|_| vec![Effect::Suspend]),                            footer: 0 },
    Binding { action: "no",               keys: &[char('q'), char('n')],              name: "close",       help: "no; close this and change nothing",          on: on(&[Menu, Columns, Help, Explain, Confirm, ConfirmKill, ConfirmClose, ConfirmSave]), run: Back(App::back),                                           footer: 0 },
    Binding { action: "leave-details",             keys: &[char('q'), function(10)],           name: "back",        help: "leave the details",      on: on(&[Detail]),                                                    run: Change(App::back),                                            footer: 0 },
    Binding { action: QUIT,               keys: &[char('q'), function(10)],           name: "quit",        help: "back to the groups; else leave conntop",      on: on(&[Table]),                                                    run: Ask(App::quit),                                            footer: 8 },
    Binding { action: QUIT_ANYWHERE,      keys: &[ctrl('c')],                         name: "quit",        help: "leave conntop, from anywhere",               on: on(EVERYWHERE),                                                 run: Ask(|_| vec![Effect::Quit]),                               footer: 0 },
];

/// Every binding, in the order of the help.
pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    MOVING.iter().chain(TABS.iter().map(|row| &row.binding)).chain(OTHERS)
}

/// The binding of this action.
pub(in crate::app) fn named(action: &str) -> Option<&'static Binding> {
    bindings().find(|binding| binding.action == action)
}

/// Whether the configuration can give `binding` no other keys: a yes to a dialog, and the key that leaves from anywhere.
fn is_fixed(binding: &Binding) -> bool {
    binding.confirms() || binding.action == QUIT_ANYWHERE
}

/// The bindings that the footer shows in `context`, in its order.
pub fn footer(context: &KeyContext) -> Vec<&'static Binding> {
    let mut rows: Vec<_> = bindings().filter(|row| row.footer > 0 && row.on.acts(context)).collect();
    rows.sort_by_key(|row| row.footer);
    rows
}

/// The headings of the help screen and the scopes they stand for; a binding stands under the first that it works in.
pub const SECTIONS: [(&str, KeyScope); 15] = [
    ("Tables and the log", Table),
    ("The details", Detail),
    ("Menus", Menu),
    ("The column chooser", Columns),
    ("The list of actions", Palette),
    ("Before a signal is sent", Confirm),
    ("Where a word is asked for", ConfirmWord),
    ("Before KILL is sent", ConfirmKill),
    ("Before a socket is closed", ConfirmClose),
    ("Before the settings are saved", ConfirmSave),
    ("The filter line", Filter),
    ("The help", Help),
    ("Finding lines of the help", HelpSearch),
    ("The name of a file", FileName),
    ("A time to go to", Time),
];

/// The bindings under the heading of `SECTIONS[section]`.
pub fn section(section: usize) -> impl Iterator<Item = &'static Binding> {
    bindings().filter(move |row| {
        let first = SECTIONS.iter().position(|(_, scope)| row.on.scopes.contains(scope));
        first == Some(section)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::key::KeyStroke;
    use crate::app::keymap::remap::Keymap;

    fn action(scope: KeyScope, key: KeyStroke) -> Option<&'static str> {
        Keymap::default().binding(scope, key).map(|row| row.action)
    }

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for &scope in EVERYWHERE {
            let mut seen = Vec::new();
            for key in bindings().filter(|row| row.on.scopes.contains(&scope)).flat_map(|row| row.keys) {
                assert!(!seen.contains(key), "{key} is bound twice in {scope:?}");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn the_name_of_an_action_is_unique_and_is_written_like_a_setting() {
        for row in bindings() {
            assert_eq!(bindings().filter(|other| other.action == row.action).count(), 1, "{}", row.action);
            assert!(row.action.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        }
    }

    #[test]
    fn every_binding_is_reached_by_each_of_its_keys() {
        for row in bindings() {
            for (scope, key) in row.on.scopes.iter().flat_map(|scope| row.keys.iter().map(move |key| (*scope, *key))) {
                assert_eq!(action(scope, key), Some(row.action), "{key} in {scope:?}");
            }
        }
    }

    #[test]
    fn the_help_lists_every_binding_once() {
        let listed: usize = (0..SECTIONS.len()).map(|index| section(index).count()).sum();
        assert_eq!(listed, bindings().count());
    }

    #[test]
    fn every_place_can_be_left_and_no_bare_k_kills() {
        for &scope in EVERYWHERE {
            assert_eq!(action(scope, ctrl('c')), Some("quit-anywhere"));
            assert_eq!(action(scope, ESC), Some("back"));
            let bare = Keymap::default().binding(scope, char('k'));
            assert!(bare.is_none_or(|row| row.action != "kill" && !row.confirms()));
        }
    }

    #[test]
    fn footers_are_short_and_names_fit() {
        for &scope in EVERYWHERE {
            // Of those of the tables some are left out on each tab; a wide screen has room for all of them.
            assert!(TABS.iter().all(|row| footer(&row.key_context(scope, false)).len() <= 14), "{scope:?}");
        }
        assert!(bindings().all(|row| !row.help.is_empty() && row.name.len() <= 12));
        // Two columns of help fit 116 cells.
        assert!(bindings().all(|row| row.help.len() <= 42));
    }
}
