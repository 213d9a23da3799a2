//! Terminal, event loop, threads, clock and signals: the only room that waits.

mod backend;
mod closes;
mod config_file;
mod confirm_guard;
mod event_loop;
pub mod exports;
mod keys;
mod kills;
pub mod load;
mod moments;
mod notice_timer;
mod os;
#[cfg(not(unix))]
mod other;
mod past;
mod past_player;
mod sample_plan;
mod sampler;
mod signal_event;
mod signals;
mod terminal;
pub mod themes;
#[cfg(unix)]
mod time_zone;
mod turn;
#[cfg(unix)]
mod unix;

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::app::moment::{MomentWish, PlaySpeed};
use crate::app::msg::Msg;
use crate::app::settings::SharedSettings;
use crate::app::{App, Config};
use crate::dns::pool::Pool;
use crate::dns::resolver;
use crate::host::made_up::MadeUpHost;
use crate::host::{self, Host};
use crate::model::host_name::Lookups;
use crate::model::snapshot::{SourceInfo, SourceKind};
use crate::model::text::DisplayText;
use crate::runtime::closes::Closes;
use crate::runtime::config_file::ConfigFile;
use crate::runtime::confirm_guard::TerminalInput;
use crate::runtime::event_loop::{EffectHandlers, EventLoop, EventQueues};
use crate::runtime::exports::{ExportText, Exports};
use crate::runtime::kills::{KillWait, Kills};
use crate::runtime::moments::FindingSettings;
use crate::runtime::os::Keyboard;
use crate::runtime::past::SharedPast;
use crate::runtime::past_player::PastPlayer;
use crate::runtime::sampler::{SampleStream, Sampler, SamplerSetup};
use crate::runtime::terminal::Screen;
use crate::runtime::themes::ScreenThemes;
use crate::source::{Source, descriptors, guarded};
use crate::ui::theme::depth::Rgb;

#[cfg(unix)]
pub use crate::runtime::time_zone::utc_offset_seconds;

/// Keys that wait for the main thread; a reader that is ahead of it waits.
const EVENTS_MAX: usize = 256;
/// Messages that wait for the main thread. Small: a delta can be large, and the sampler shall wait, not pile up.
const MESSAGES_MAX: usize = 8;
/// The exit code for a call that cannot work.
const USAGE: u8 = 2;

/// How the screen is to run.
#[derive(Clone, Debug)]
pub struct ScreenOptions {
    /// The filter to start with; has been parsed before.
    pub filter: String,
    /// What the screen shares with the commands.
    pub settings: SharedSettings,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// The config file that the screen saves to; `None` where there is none.
    pub config_path: Option<PathBuf>,
    /// How the screen can be drawn.
    pub themes: ScreenThemes,
    /// The moment of a recording to begin at, as it was written.
    pub at: Option<String>,
    /// How fast a recording runs.
    pub speed: PlaySpeed,
    /// What the user is told at the start.
    pub remarks: Vec<String>,
    /// Makes the text of a file with sockets.
    pub export: ExportText,
}

/// Runs the screen on `source` until the user quits, a signal comes or the terminal vanishes.
pub fn run_screen(mut source: Box<dyn Source>, options: &ScreenOptions) -> anyhow::Result<ExitCode> {
    let Ok(keyboard) = Keyboard::open() else {
        eprintln!("conntop: there is no terminal to read keys from; use `conntop list` for output without a screen");
        return Ok(ExitCode::from(USAGE));
    };
    let keyboard = Arc::new(keyboard);
    let host: Arc<dyn Host> = match source.show_on_screen() {
        Some(machine) => Arc::new(MadeUpHost(machine)),
        None => Arc::from(host::this_machine()),
    };
    let size = os::size().context("cannot ask the terminal for its size; use `conntop list`")?;
    let (utc_offset_seconds, no_zone) = utc_offset_seconds();
    let mut app = App::new(Config { utc_offset_seconds, ..config(source.info().clone(), options, &*host, size) });
    let wish = match begin_at(&mut app, &*source, options) {
        Ok(wish) => wish,
        Err(why) => {
            eprintln!("conntop: {why}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let kills_allowed = source.info().abilities.kill && !options.settings.read_only;

    terminal::install_panic_hook();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let answered = Arc::new(AtomicBool::new(false));
    let signals = signals::listen(Arc::clone(&answered))
        .context("cannot listen for signals; raise the limit with ulimit -n, or use `conntop list`")?;
    let (sender, messages) = channel(MESSAGES_MAX);
    // The queue is empty: there is room for them.
    let no_hosts = guarded::check_hosts().err().filter(|_| options.settings.lookups == Lookups::On);
    let no_hosts = no_hosts.map(|why| format!("{why}, so names of hosts are not asked for; mend that file"));
    for remark in options.remarks.iter().chain(&no_zone).chain(&no_hosts) {
        let _ = sender.try_send(Msg::Notice(DisplayText::new(remark)));
    }
    let names = (options.settings.lookups != Lookups::Forbidden).then(|| {
        let sender = sender.clone();
        let private_names = options.settings.private_names;
        let resolver = resolver::for_source(source.info().kind, || guarded::check_hosts().is_ok());
        // An error means that the program is ending.
        Pool::new(resolver, private_names, move |named| drop(sender.blocking_send(Msg::HostNames(vec![named]))))
    });
    let close_allowed = source.info().abilities.close && !options.settings.read_only;
    let closes = close_allowed.then(|| Closes::new(Arc::clone(&host), sender.clone()));
    let exports = Exports::new(options.export, sender.clone());
    let kills = kills_allowed.then(|| Kills::new(host, sender.clone(), KillWait::default()));
    let config_file = options.config_path.clone().map(|path| ConfigFile::new(path, sender.clone()));
    let findings =
        FindingSettings { thresholds: options.settings.thresholds.clone(), ignore: options.settings.ignore.clone() };
    // A recording is its own memory.
    let past = (source.info().kind != SourceKind::Replay).then(SharedPast::default);
    let player =
        past.clone().map(|past| PastPlayer::new(past, source.info().clone(), findings.clone(), sender.clone()));
    let setup = SamplerSetup {
        interval: options.settings.interval,
        messages: sender,
        stream: SampleStream::Source,
        findings,
        past,
        wish,
        speed: options.speed,
    };
    let sampler = Sampler::start(source, setup).context("cannot start the sampler")?;
    let screen = Screen::enter(options.mouse, options.themes.clone())
        .context("cannot prepare the terminal; use `conntop list`")?;
    let (background_sender, background) = channel(1);
    let background_sender = options.themes.auto.is_some().then_some(background_sender);
    let input = read_keys(Arc::clone(&keyboard), background_sender).context("cannot start to read keys")?;

    let queues = EventQueues { signals, input, background, messages };
    let handlers = EffectHandlers { screen, keyboard, sampler, player, kills, names, closes, config_file, exports };
    let ended = runtime.block_on(EventLoop::new(app, queues, handlers).run());
    answered.store(true, Ordering::Release);
    Ok(ExitCode::from(ended.context("cannot write to the terminal")?))
}

/// The moment of the recording that the screen is to begin at; an error is a sentence on what is wrong with it.
fn begin_at(app: &mut App, source: &dyn Source, options: &ScreenOptions) -> Result<Option<MomentWish>, String> {
    app.set_speed(options.speed);
    let Some(text) = &options.at else { return Ok(None) };
    let Some(span) = source.span() else {
        return Err(
            "--at goes to a moment of one recording in a file, not of a stream or of several recordings at once"
                .to_owned(),
        );
    };
    app.begin_at(span, text).map(Some)
}

/// A runtime for commands that wait, and whether it hears Ctrl-C. Where the limit of open files leaves no room for that,
/// Ctrl-C ends the program in the system's own way.
pub fn for_waiting() -> io::Result<(tokio::runtime::Runtime, bool)> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let hears = descriptors::check_room(signals::DESCRIPTORS_NEEDED).is_ok();
    let runtime = if hears { builder.enable_all().build() } else { builder.enable_time().build() }?;
    Ok((runtime, hears))
}

/// Finished when the user presses Ctrl-C or a service manager asks the program to end (SIGTERM).
pub async fn end_is_asked() -> io::Result<()> {
    os::end_is_asked().await
}

/// Whether nobody can read any more what is written to standard output: its pipe is closed, its terminal hung up.
pub fn reader_is_gone() -> bool {
    os::reader_is_gone()
}

/// Whether standard output takes something now or within `wait`, so that a write of a page does not wait.
pub fn reader_takes_more(wait: Duration) -> bool {
    os::reader_takes_more(wait)
}

/// Refuses to run with rights that the caller does not have, and gives up the means to gain more: conntop reads files
/// and sends signals, was not written to be trusted with the setuid bit, and never runs another program.
pub fn refuse_setuid() -> anyhow::Result<()> {
    anyhow::ensure!(
        !os::is_setuid(),
        "conntop does not run setuid or setgid; remove the bit and use sudo or file capabilities \
         (setcap cap_net_admin,cap_sys_ptrace,cap_dac_read_search+ep)"
    );
    host::forgo_new_rights();
    Ok(())
}

fn config(source: SourceInfo, options: &ScreenOptions, host: &dyn Host, size: (u16, u16)) -> Config {
    Config {
        source,
        size,
        filter: options.filter.clone(),
        settings: options.settings.clone(),
        config_path: options.config_path.as_ref().map(|path| DisplayText::new(&path.display().to_string())),
        themes: options.themes.list(),
        protected: host.protected(),
        doubt: host.doubt(),
        may_close: host.may_close(),
        utc_offset_seconds: 0,
    }
}

/// Local time minus UTC as of now, in seconds; 0 where the system does not say.
#[cfg(not(unix))]
pub fn utc_offset_seconds() -> (i32, Option<String>) {
    (jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now()).seconds(), None)
}

/// Starts the thread that reads the terminal; its queue closes when the terminal is gone. What the terminal answers, if it
/// was asked for its background, goes to `background`.
fn read_keys(keyboard: Arc<Keyboard>, background: Option<Sender<Rgb>>) -> io::Result<Receiver<TerminalInput>> {
    let (sender, receiver): (Sender<TerminalInput>, _) = channel(EVENTS_MAX);
    thread::Builder::new().name("keys".into()).spawn(move || keyboard.read_to(&sender, background.as_ref()))?;
    Ok(receiver)
}

/// What a caught panic says.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason is given")
}
