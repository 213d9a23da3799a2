//! What the environment says of the terminal: its type and the characters it takes.

use std::env;
use std::ffi::OsString;

use crate::ui::theme::ColorDepth;

/// Whether the terminal cannot move its cursor: a screen would be a heap of codes there.
pub(super) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether this is the console of Linux without a window system: its fonts have 256 or 512 characters (setfont(8)), and none of
/// the ones that are built in has braille, eighths of blocks or triangles in outline.
pub(super) fn is_linux_console() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "linux")
}

/// Whether this is a window of GNU screen. Version 4.9 holds an Esc back until the next key, as Alt with that key, as long as
/// a program has asked for the mouse (measured; `maptimeout` of screen(1) counts only without it).
pub(super) fn is_gnu_screen() -> bool {
    is_gnu_screen_of(&|name| env::var_os(name))
}

/// Within tmux `TERM` may begin with `screen` too.
fn is_gnu_screen_of(variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    variable("TERM").is_some_and(|term| term.to_string_lossy().starts_with("screen"))
        && variable("TMUX").is_none_or(|value| value.is_empty())
}

/// How many colours the terminal has, as far as the environment tells.
pub(super) fn color_depth() -> ColorDepth {
    depth_of(|name| env::var_os(name))
}

/// No terminal database is read: it knows of no more than 256 colours, and of few terminals of today. `COLORTERM` is what
/// terminals with 16 million set; GNU screen hands it on without having them, and tmux has them or makes the best of it.
fn depth_of(variable: impl Fn(&str) -> Option<OsString>) -> ColorDepth {
    let text = |name| variable(name).map_or_else(String::new, |value| value.to_string_lossy().into_owned());
    let (term, colors) = (text("TERM"), text("COLORTERM"));
    let is_screen = is_gnu_screen_of(&variable);
    let is_simple = matches!(term.as_str(), "" | "dumb" | "linux" | "ansi") || term.starts_with("vt");
    match colors.as_str() {
        _ if is_simple => ColorDepth::Sixteen,
        "truecolor" | "24bit" if !is_screen => ColorDepth::Rgb,
        _ if term.ends_with("-direct") => ColorDepth::Rgb,
        _ if term.contains("256color") => ColorDepth::Indexed,
        _ => ColorDepth::Sixteen,
    }
}

/// Whether the locale takes UTF-8.
pub(super) fn takes_utf8() -> bool {
    locale_takes_utf8(|name| env::var_os(name))
}

/// The first variable that is set and not empty counts (locale(7)). Where none is, as in most containers, nothing is
/// known of the terminal, and nearly all terminals take UTF-8.
fn locale_takes_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    locale.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_more_colours_than_it_has() {
        use ColorDepth::{Indexed, Rgb, Sixteen};
        for (set, depth) in [
            (&[][..], Sixteen),
            (&[("TERM", "xterm")], Sixteen),
            (&[("TERM", "xterm-256color")], Indexed),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Rgb),
            (&[("TERM", "xterm"), ("COLORTERM", "24bit")], Rgb),
            (&[("TERM", "xterm-256color"), ("COLORTERM", "yes")], Indexed),
            (&[("TERM", "xterm-direct")], Rgb),
            (&[("TERM", "tmux-256color"), ("COLORTERM", "truecolor"), ("TMUX", "/tmp/tmux-0/default,1,0")], Rgb),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor"), ("TMUX", "/tmp/tmux-0/default,1,0")], Rgb),
            (&[("TERM", "screen-256color"), ("COLORTERM", "truecolor")], Indexed),
            (&[("TERM", "screen"), ("COLORTERM", "truecolor")], Sixteen),
            (&[("TERM", "linux"), ("COLORTERM", "truecolor")], Sixteen),
            (&[("TERM", "vt220"), ("COLORTERM", "truecolor")], Sixteen),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], Sixteen),
        ] {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            assert_eq!(depth_of(variable), depth, "{set:?}");
        }
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        for (set, is_utf8) in [
            (&[][..], true),
            (&[("LANG", "")], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "de_DE.utf8@euro")], true),
            (&[("LANG", "tr_TR.ISO-8859-9")], false),
            (&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")], true),
        ] {
            let variable = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            assert_eq!(locale_takes_utf8(variable), is_utf8, "{set:?}");
        }
    }
}
