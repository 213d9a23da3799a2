//! The event loop. A turn: one signal, key or message is taken in and what the app asks for is done; then background work, as
//! much as [`TurnBudget`] allows; then a frame, if something has changed and the last frame is `FRAME` ago.

use std::io;
use std::time::Duration;

use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind};
use ratatui::layout::Position;
use tokio::sync::mpsc::Receiver;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::msg::Msg;
use crate::dns::pool::Pool;
use crate::model::action::{Kill, KillOutcome, KillReport};
use crate::model::closing::{Close, CloseOutcome, CloseReport};
use crate::model::text::DisplayText;
use crate::runtime::closes::Closes;
use crate::runtime::config_file::ConfigFile;
use crate::runtime::confirm_guard::{ConfirmGuard, TerminalInput};
use crate::runtime::exports::Exports;
use crate::runtime::kills::Kills;
use crate::runtime::notice_timer::NoticeTimer;
use crate::runtime::os;
use crate::runtime::past_player::PastPlayer;
use crate::runtime::sampler::Sampler;
use crate::runtime::signal_event::{SignalEvent, exit_code};
use crate::runtime::terminal::{self, COPY_LEN_MAX, Screen};
use crate::runtime::turn::TurnBudget;
use crate::ui::theme::depth::Rgb;

/// The shortest time between two frames; what comes in between is drawn together.
const FRAME: Duration = Duration::from_millis(16);
/// How often a program in the background looks whether it is in front again.
const FRONT_WAIT: Duration = Duration::from_millis(250);
/// How long the news of having been continued may take.
const CONTINUE_WAIT: Duration = Duration::from_millis(500);
/// The number of SIGHUP: a terminal that vanished ends the program like that.
const HANGUP: i32 = 1;

/// The queues that the loop waits for, in the order of their importance.
pub struct EventQueues {
    /// From the system.
    pub signals: Receiver<SignalEvent>,
    /// From the terminal; closed when it is gone.
    pub input: Receiver<TerminalInput>,
    /// The background of the terminal, where it was asked for.
    pub background: Receiver<Rgb>,
    /// From the sampler, the kills and the lookups of names.
    pub messages: Receiver<Msg>,
}

/// Who does what the app wants done.
pub struct EffectHandlers {
    /// The terminal.
    pub screen: Screen,
    /// Where keys come from.
    pub keyboard: std::sync::Arc<os::Keyboard>,
    /// Takes the samples.
    pub sampler: Sampler,
    /// Plays the past of a live source; `None` for a recording, which the sampler plays itself.
    pub player: Option<PastPlayer>,
    /// Sends the signals; `None` where nothing may be killed.
    pub kills: Option<Kills>,
    /// Asks for names of hosts; `None` where that is forbidden.
    pub names: Option<Pool>,
    /// Closes sockets; `None` where none may be closed.
    pub closes: Option<Closes>,
    /// Reads and writes the config file; `None` where there is none.
    pub config_file: Option<ConfigFile>,
    /// Writes files.
    pub exports: Exports,
}

/// Whose the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TerminalUse {
    /// Ours.
    Foreground,
    /// Ours, to be given back now.
    Suspending,
    /// Another program's.
    Background,
}

/// The main thread at work.
pub struct EventLoop {
    app: App,
    queues: EventQueues,
    handlers: EffectHandlers,
    /// The exit code, once the program is to end.
    end: Option<u8>,
    /// The screen differs from the last frame.
    dirty: bool,
    /// The terminal may have another size than the app knows.
    resized: bool,
    /// The app was told something since its last background work.
    has_told: bool,
    terminal_use: TerminalUse,
    /// No frame before this.
    next_frame: Instant,
    /// Which keys come too soon.
    confirm_guard: ConfirmGuard,
    /// When the notice on the screen goes.
    notice_timer: NoticeTimer,
}

impl EventLoop {
    /// A loop that has not drawn yet.
    pub fn new(app: App, queues: EventQueues, handlers: EffectHandlers) -> Self {
        Self {
            app,
            queues,
            handlers,
            end: None,
            dirty: true,
            // The terminal may have got a new size since the app was told of it.
            resized: true,
            has_told: false,
            terminal_use: TerminalUse::Foreground,
            next_frame: Instant::now(),
            confirm_guard: ConfirmGuard::default(),
            notice_timer: NoticeTimer::default(),
        }
    }

    /// Runs until the user quits, a signal comes or the terminal is gone; the exit code.
    pub async fn run(mut self) -> io::Result<u8> {
        let ended = self.run_until_end().await;
        // Who quits at once would get the answer of the terminal typed into the shell.
        if let Some(left) = self.handlers.screen.answer_due() {
            let _ = timeout(left, self.queues.background.recv()).await;
        }
        self.handlers.keyboard.release();
        match ended {
            Err(error) if is_gone(&error) => Ok(exit_code(HANGUP)),
            other => other,
        }
    }

    async fn run_until_end(&mut self) -> io::Result<u8> {
        self.finish_turn().await?;
        loop {
            if let Some(code) = self.end {
                return Ok(code);
            }
            self.take_in_next().await?;
            self.finish_turn().await?;
        }
    }

    /// Waits for one thing and takes it in. Background work waits for everything else.
    async fn take_in_next(&mut self) -> io::Result<()> {
        let has_work = self.has_work();
        let is_foreground = self.terminal_use == TerminalUse::Foreground;
        let notice = self.notice_timer.due();
        let notice_end = notice.map_or_else(Instant::now, |(_, end)| end.into());
        tokio::select! {
            biased;
            signal = self.queues.signals.recv() => self.on_signal(signal.unwrap_or(SignalEvent::End(HANGUP))),
            event = self.queues.input.recv() => match event {
                Some(input) => self.on_input(&input),
                None => self.on_signal(SignalEvent::End(HANGUP)),
            },
            Some(color) = self.queues.background.recv() => {
                self.handlers.screen.take_background(color);
                self.dirty = true;
                Ok(())
            }
            // A sample waits until the work on the one before is done; the sampler then waits for room in the queue.
            Some(msg) = self.queues.messages.recv(), if !has_work => self.tell(msg),
            () = sleep_until(self.next_frame), if self.dirty && is_foreground => Ok(()),
            () = sleep_until(notice_end), if notice.is_some() && is_foreground => self.tell_notice_read(notice),
            () = yield_now(), if has_work => Ok(()),
            () = sleep(FRONT_WAIT), if self.terminal_use == TerminalUse::Background => self.show_if_in_front(),
        }
    }

    /// What follows what was taken in: background work, as far as the budget of the turn goes, and the frame if it is due.
    async fn finish_turn(&mut self) -> io::Result<()> {
        if self.end.is_some() {
            return Ok(());
        }
        if self.terminal_use == TerminalUse::Foreground {
            self.take_in_size()?;
        }
        self.work()?;
        match self.terminal_use {
            TerminalUse::Suspending => self.suspend().await,
            TerminalUse::Foreground => self.draw_if_due(),
            TerminalUse::Background => Ok(()),
        }
    }

    fn has_work(&self) -> bool {
        self.has_told || self.app.is_busy()
    }

    fn input_waits(&self) -> bool {
        !(self.queues.input.is_empty() && self.queues.signals.is_empty())
    }

    /// The background work of this turn.
    fn work(&mut self) -> io::Result<()> {
        let mut budget = TurnBudget::new(self.has_told, std::time::Instant::now());
        while self.has_work()
            && let Some(steps) = budget.next_slice(std::time::Instant::now(), self.input_waits())
        {
            self.has_told = false;
            self.app.background(steps).into_iter().try_for_each(|effect| self.perform(effect))?;
        }
        Ok(())
    }

    /// Tells the app the size of the terminal if it may be another.
    fn take_in_size(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.resized) {
            let (columns, rows) = os::size()?;
            self.tell(Msg::Resize(columns, rows))?;
            self.dirty = true;
        }
        Ok(())
    }

    fn on_signal(&mut self, signal: SignalEvent) -> io::Result<()> {
        match signal {
            SignalEvent::End(signal) => self.end = Some(exit_code(signal)),
            SignalEvent::Stop => self.terminal_use = TerminalUse::Suspending,
            // Whoever stopped the program may have used the terminal since.
            SignalEvent::Continue => self.show_if_in_front()?,
            SignalEvent::Resize => self.resized = true,
        }
        Ok(())
    }

    fn on_input(&mut self, input: &TerminalInput) -> io::Result<()> {
        match &input.event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                match self.confirm_guard.check(*key, input, self.app.question()) {
                    Some(haste) => self.tell(Msg::EarlyKey(*key, haste)),
                    None => self.tell(Msg::Key(*key)),
                }
            }
            Event::Mouse(mouse) => {
                let at = Position::new(mouse.column, mouse.row);
                let is_click = mouse.kind == MouseEventKind::Down(MouseButton::Left);
                match self.handlers.screen.target_at(at).filter(|_| is_click) {
                    Some(target) => self.tell(Msg::Click(target)),
                    None => self.tell(Msg::Mouse(*mouse)),
                }
            }
            Event::Paste(text) => self.tell(Msg::Paste(text.clone())),
            Event::Resize(..) => {
                self.resized = true;
                Ok(())
            }
            Event::Key(_) | Event::FocusGained | Event::FocusLost => Ok(()),
        }
    }

    fn tell_notice_read(&mut self, notice: Option<(u64, std::time::Instant)>) -> io::Result<()> {
        self.notice_timer = NoticeTimer::default();
        notice.map_or(Ok(()), |(number, _)| self.tell(Msg::NoticeRead(number)))
    }

    fn tell(&mut self, msg: Msg) -> io::Result<()> {
        self.has_told = true;
        self.app.update(msg).into_iter().try_for_each(|effect| self.perform(effect))
    }

    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => self.end = Some(0),
            Effect::Suspend => self.terminal_use = TerminalUse::Suspending,
            Effect::Redraw => {
                self.handlers.screen.forget()?;
                self.dirty = true;
            }
            Effect::Kill(kill) => return self.kill(kill),
            Effect::Close(close) => return self.close(vec![close]),
            Effect::CloseAll(closes) => return self.close(closes),
            Effect::Export(export) => {
                if let Err(report) = self.handlers.exports.start(&export, &self.app.store) {
                    return self.tell(Msg::Exported(report));
                }
            }
            Effect::Collect(needs) => self.handlers.sampler.collect(needs),
            Effect::LookUp(addresses) => {
                let known = self.handlers.names.as_mut().map_or_else(Vec::new, |names| names.want(&addresses));
                if !known.is_empty() {
                    return self.tell(Msg::HostNames(known));
                }
            }
            Effect::Interval(interval) => self.handlers.sampler.set_interval(interval),
            Effect::Pause(paused) => self.handlers.sampler.pause(paused),
            Effect::Sample => self.handlers.sampler.sample_now(),
            Effect::GoTo(wish) => self.with_clock(|clock| clock.go_to(wish))?,
            Effect::Play(plays) => self.with_clock(|clock| clock.play(plays))?,
            Effect::PlaySpeed(speed) => self.with_clock(|clock| clock.set_speed(speed))?,
            Effect::PlayUntil(id) => self.with_clock(|clock| clock.play_until(id))?,
            Effect::Step => self.with_clock(Sampler::step)?,
            Effect::ReadConfig => return self.with_config_file(ConfigFile::start_read),
            Effect::WriteConfig(asked) => return self.with_config_file(|file| file.start_write(asked)),
            Effect::Bell => terminal::ring()?,
            Effect::Copy(text) if text.as_str().len() > COPY_LEN_MAX => {
                return self.tell(Msg::Notice("that is too long for the clipboard; choose something shorter".into()));
            }
            Effect::Copy(text) => terminal::copy(text.as_str())?,
            Effect::CopyLines(lines) => {
                let lines: Vec<&str> = lines.iter().map(DisplayText::as_str).collect();
                let text = lines.join("\n");
                if text.len() > COPY_LEN_MAX {
                    return self.tell(Msg::Notice(
                        "that is too long for the clipboard; a file takes the sockets of tagged rows".into(),
                    ));
                }
                terminal::copy(&text)?;
            }
        }
        Ok(())
    }

    /// Tells who has the clock of what can be gone about in: the recording, or the past of a live source.
    fn with_clock(&mut self, tell: impl FnOnce(&Sampler)) -> io::Result<()> {
        match &mut self.handlers.player {
            Some(player) => tell(player.sampler()?),
            None => tell(&self.handlers.sampler),
        }
        Ok(())
    }

    fn kill(&mut self, kill: Kill) -> io::Result<()> {
        let begun = match &mut self.handlers.kills {
            Some(kills) => kills.start(kill),
            // The app does not offer it then; this is the second lock.
            None => Err(KillReport { kill, outcome: KillOutcome::Failed("signals are switched off here".into()) }),
        };
        match begun {
            Ok(()) => Ok(()),
            Err(report) => self.tell(Msg::Kill(report)),
        }
    }

    fn with_config_file(&mut self, run: impl FnOnce(&ConfigFile) -> Result<(), Msg>) -> io::Result<()> {
        // The app asks for nothing where there is no file.
        match self.handlers.config_file.as_ref().map_or(Ok(()), run) {
            Ok(()) => Ok(()),
            Err(failed) => self.tell(failed),
        }
    }

    fn close(&mut self, asked: Vec<Close>) -> io::Result<()> {
        let switched_off =
            |close| CloseReport { close, outcome: CloseOutcome::Failed("that is switched off here".into()) };
        let begun = match &mut self.handlers.closes {
            Some(closes) => closes.start(asked),
            // The app does not offer it then; this is the second lock.
            None => Err(asked.into_iter().map(switched_off).collect()),
        };
        match begun {
            Ok(()) => Ok(()),
            Err(reports) => reports.into_iter().try_for_each(|report| self.tell(Msg::Close(report))),
        }
    }

    /// Gives the terminal back and stops, as a shell expects of Ctrl-Z.
    async fn suspend(&mut self) -> io::Result<()> {
        self.handlers.keyboard.release();
        terminal::restore();
        self.terminal_use = TerminalUse::Background;
        os::stop_self();
        // Continued. The news of it may still be on its way, and pid 1 of a container cannot be stopped at all.
        if let Ok(Some(SignalEvent::End(signal))) = timeout(CONTINUE_WAIT, self.queues.signals.recv()).await {
            self.end = Some(exit_code(signal));
            return Ok(());
        }
        self.show_if_in_front()
    }

    /// Takes the terminal again, unless this program was continued in the background: then it stays silent.
    fn show_if_in_front(&mut self) -> io::Result<()> {
        self.terminal_use =
            if self.handlers.keyboard.is_in_front() { TerminalUse::Foreground } else { TerminalUse::Background };
        if self.terminal_use == TerminalUse::Foreground {
            self.handlers.screen.show()?;
            self.handlers.keyboard.take();
            self.confirm_guard.forget();
            self.resized = true;
            self.dirty = true;
        }
        Ok(())
    }

    /// Draws what has changed, `FRAME` after the last frame. Keys that wait are taken in first, so that one frame shows them
    /// all, unless that makes the frame late by as much again.
    fn draw_if_due(&mut self) -> io::Result<()> {
        self.dirty |= self.app.take_dirty();
        let (now, due) = (Instant::now(), self.next_frame);
        if self.dirty && now >= due && (!self.input_waits() || now >= due + FRAME) {
            self.handlers.screen.draw(&self.app)?;
            let now = std::time::Instant::now();
            self.confirm_guard.frame_drawn(self.app.question(), now);
            self.notice_timer.frame_drawn(self.app.notices.latest().map(|(notice, _)| notice), now);
            self.dirty = false;
            self.next_frame = Instant::now() + FRAME;
            assert!(!is_panic_wanted(), "a test asked for this panic");
        }
        Ok(())
    }
}

/// Whether a test wants the loop to panic.
fn is_panic_wanted() -> bool {
    cfg!(debug_assertions) && std::env::var_os("CONNTOP_TEST_PANIC").is_some()
}

/// Whether `error` says that the terminal is no more: nobody is left to be told.
fn is_gone(error: &io::Error) -> bool {
    // EIO of a hung-up terminal, ENXIO of one without a line; both have no name in io::ErrorKind.
    error.kind() == io::ErrorKind::BrokenPipe || matches!(error.raw_os_error(), Some(5 | 6))
}
