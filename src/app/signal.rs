//! The operating system's wishes: that this process ends, or reads its certificate again.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGTERM or Ctrl-C. Without signals, which no system we know lacks, it waits for ever.
pub async fn stop_asked() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received; end this process with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("interrupt: stopping"),
    }
}

/// Calls `reload` at every SIGHUP, for as long as it runs. Without this, SIGHUP would end the process.
pub async fn reload_asked(reload: impl Fn()) {
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangups.recv().await.is_some() {
        reload();
    }
}
