//! Names of hosts for commands without a screen: asked for what is printed, and not waited for longer than a moment.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::cli::say;
use crate::cli::settings::Settings;
use crate::dns::pool::Pool;
use crate::dns::resolver;
use crate::model::host_name::Lookups;
use crate::model::snapshot::SourceKind;
use crate::source::guarded;
use crate::store::Store;

/// How long a command that prints once waits for names.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long the lines of one sample wait for names, at most.
pub(super) const PATIENCE_A_SAMPLE: Duration = Duration::from_millis(500);

/// Asks for names, if that is wanted.
pub(super) struct HostNameLookup {
    pool: Option<Pool>,
    patience: Duration,
    /// What was left out was said.
    has_said: bool,
}

impl HostNameLookup {
    /// Asks as the settings say about what `kind` of source shows.
    pub(super) fn new(settings: &Settings, kind: SourceKind, patience: Duration) -> Self {
        let is_on = settings.shared.lookups == Lookups::On;
        if is_on
            && kind != SourceKind::Synthetic
            && let Err(why) = guarded::check_hosts()
        {
            say(&format!("{why}, so names of hosts are not asked for; mend that file"));
        }
        let may_ask = || guarded::check_hosts().is_ok();
        let pool = is_on.then(|| Pool::new(resolver::for_source(kind, may_ask), settings.shared.private_names, |_| {}));
        Self { pool, patience, has_said: false }
    }

    /// Whether names are asked for.
    pub(super) const fn is_on(&self) -> bool {
        self.pool.is_some()
    }

    /// Lets `store` learn what `addresses` are called, the first ones first, as far as it is found out in time.
    pub(super) fn learn(&mut self, store: &mut Store, addresses: &[IpAddr]) {
        let Some(pool) = &mut self.pool else { return };
        pool.want(addresses);
        let (names, unanswered) = pool.wait(Instant::now() + self.patience);
        for (addr, name) in names {
            store.host_names_mut().learn(addr, name);
        }
        if unanswered > 0 && !std::mem::replace(&mut self.has_said, true) {
            let seconds = self.patience.as_secs_f64();
            say(&format!(
                "not every name was found within {seconds} s; what is missing is left out, see conntop explain dns"
            ));
        }
    }
}
