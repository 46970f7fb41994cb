//! What can go wrong, and how it is undone.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::means::Means;
use super::relay::{Party, Trouble};
use super::stage::Stage;

const BROKERS: [usize; 3] = [1, 2, 3];
/// A leader's session is 10 s: after this it has another one.
const PAST_A_SESSION: Duration = Duration::from_secs(13);
/// What a slow line adds to each piece, in each direction.
const DELAY: Duration = Duration::from_millis(300);

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    LeaderKilled,
    LeaderPaused,
    LeaderCut,
    LeaderSilent,
    DiskFull,
    ClockAhead,
    ClockBehind,
    GatewayKilled,
    GatewaysKilled,
    GatewayCut,
    GatewaySilent,
    BrokerKilled,
    BrokersKilled,
    BrokerPaused,
    BrokerSlow,
}

/// One fault of a plan. Who leads is found out when it happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// Which broker, from 1.
    pub(super) broker: usize,
    /// Which gateway, from 0.
    pub(super) gateway: usize,
    /// How long it lasts.
    pub(super) lasts: Duration,
}

/// A fault that is on.
#[derive(Debug)]
pub(super) struct Injected {
    fault: Fault,
    /// Who led.
    pub(super) leader: usize,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::LeaderKilled,
        Self::LeaderPaused,
        Self::LeaderCut,
        Self::LeaderSilent,
        Self::DiskFull,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::GatewayKilled,
        Self::GatewaysKilled,
        Self::GatewayCut,
        Self::GatewaySilent,
        Self::BrokerKilled,
        Self::BrokersKilled,
        Self::BrokerPaused,
        Self::BrokerSlow,
    ];

    pub(super) fn is_possible(self) -> bool {
        match self {
            Self::DiskFull => Means::Disks.are_used(),
            Self::ClockAhead | Self::ClockBehind => Means::Clocks.are_used(),
            _ => true,
        }
    }

    /// Whether Kafka's own client can double a record: where leaders die it can send what was written, and not acknowledged, as new
    /// (`docs/chaos.md`).
    pub(super) fn may_double(self) -> bool {
        matches!(self, Self::BrokerKilled | Self::BrokersKilled)
    }

    /// As the table calls it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::LeaderKilled => "leading controller killed (SIGKILL)",
            Self::LeaderPaused => "leading controller stopped past its session (SIGSTOP)",
            Self::LeaderCut => "leading controller cut off from the brokers",
            Self::LeaderSilent => "nothing between the leading controller and the brokers arrives",
            Self::DiskFull => "the leading controller's disk is full",
            Self::ClockAhead => "the leading controller's clock jumps an hour ahead, and back",
            Self::ClockBehind => "the leading controller's clock jumps an hour back, and ahead",
            Self::GatewayKilled => "a gateway killed (SIGKILL)",
            Self::GatewaysKilled => "both gateways killed (SIGKILL)",
            Self::GatewayCut => "a gateway cut off from the brokers; so is the direct client",
            Self::GatewaySilent => {
                "nothing between a gateway and the brokers arrives; nor for the direct client"
            }
            Self::BrokerKilled => "a broker killed (SIGKILL)",
            Self::BrokersKilled => "all brokers killed (SIGKILL)",
            Self::BrokerPaused => "a broker stopped, in bursts (SIGSTOP)",
            Self::BrokerSlow => "a slow broker: 0.3 s more each way",
        }
    }
}

impl Fault {
    /// With a target and a time of its own.
    pub(super) fn random(kind: Kind, random: &mut StdRng) -> Self {
        let seconds = match kind {
            // Shorter than a session, or past it.
            Kind::LeaderPaused | Kind::LeaderCut | Kind::LeaderSilent => {
                [3.0, 13.0][random.random_range(0..2)]
            }
            Kind::BrokersKilled | Kind::GatewaysKilled => random.random_range(0.0..2.0),
            _ => random.random_range(0.5..6.0),
        };
        Self {
            kind,
            broker: random.random_range(1..=3),
            gateway: random.random_range(0..2),
            lasts: Duration::from_secs_f64(seconds),
        }
    }

    /// On the first broker and gateway.
    pub(super) fn lasting(kind: Kind, lasts: Duration) -> Self {
        Self { kind, broker: 1, gateway: 0, lasts }
    }

    pub(super) fn past_a_session(kind: Kind) -> Self {
        Self::lasting(kind, PAST_A_SESSION)
    }

    pub(super) fn inject(self, stage: &mut Stage) -> Injected {
        let leader = stage.await_leader_but(None);
        let controller = &mut stage.controllers[leader];
        let gateway = &mut stage.gateways[self.gateway];
        match self.kind {
            Kind::LeaderKilled => controller.kill(),
            Kind::LeaderPaused => controller.signal("-STOP"),
            Kind::LeaderCut => spoil(stage, &[Party::Controller(leader + 1)], &BROKERS, Trouble::Cut),
            Kind::LeaderSilent => spoil(stage, &[Party::Controller(leader + 1)], &BROKERS, Trouble::Silent),
            Kind::DiskFull => controller.fill_disk(),
            Kind::ClockAhead => controller.set_clock("+3600"),
            Kind::ClockBehind => controller.set_clock("-3600"),
            Kind::GatewayKilled => gateway.kill(),
            Kind::GatewaysKilled => stage.gateways.iter_mut().for_each(super::node::Node::kill),
            Kind::GatewayCut => spoil(stage, &self.gateway_and_direct(), &BROKERS, Trouble::Cut),
            Kind::GatewaySilent => spoil(stage, &self.gateway_and_direct(), &BROKERS, Trouble::Silent),
            Kind::BrokerKilled => stage.kafka.broker(self.broker).kill(),
            Kind::BrokersKilled => BROKERS.iter().for_each(|id| stage.kafka.broker(*id).kill()),
            Kind::BrokerPaused => stage.kafka.broker(self.broker).pause(),
            Kind::BrokerSlow => {
                let all = [1, 2].map(|number| [Party::Controller(number), Party::Gateway(number)]);
                let all: Vec<_> = all.concat().into_iter().chain([Party::Direct]).collect();
                spoil(stage, &all, &[self.broker], Trouble::Slow(DELAY));
            }
        }
        Injected { fault: self, leader }
    }

    fn gateway_and_direct(self) -> [Party; 2] {
        [Party::Gateway(self.gateway + 1), Party::Direct]
    }
}

fn spoil(stage: &Stage, parties: &[Party], brokers: &[usize], trouble: Trouble) {
    for party in parties {
        for broker in brokers {
            stage.relay.spoil(*party, *broker, trouble);
        }
    }
}

impl Injected {
    /// Lets it last.
    pub(super) fn last(&self, stage: &Stage) {
        let lasts = self.fault.lasts;
        if self.fault.kind != Kind::BrokerPaused {
            return std::thread::sleep(lasts);
        }
        // Too short for the others to do without it, again and again.
        let broker = stage.kafka.broker(self.fault.broker);
        for _ in 0..4 {
            std::thread::sleep(lasts / 4);
            broker.resume();
            std::thread::sleep(Duration::from_millis(200));
            broker.pause();
        }
    }

    pub(super) fn heal(&self, stage: &mut Stage) {
        stage.relay.heal();
        let controller = &mut stage.controllers[self.leader];
        match self.fault.kind {
            Kind::LeaderKilled => controller.run(),
            Kind::LeaderPaused => controller.signal("-CONT"),
            Kind::DiskFull => controller.empty_disk(),
            Kind::ClockAhead | Kind::ClockBehind => controller.set_clock("+0"),
            Kind::GatewayKilled => stage.gateways[self.fault.gateway].run(),
            Kind::GatewaysKilled => stage.gateways.iter_mut().for_each(super::node::Node::run),
            Kind::BrokerKilled => stage.kafka.broker(self.fault.broker).start(),
            Kind::BrokersKilled => stage.kafka.start_all(),
            Kind::BrokerPaused => stage.kafka.broker(self.fault.broker).resume(),
            Kind::LeaderCut
            | Kind::LeaderSilent
            | Kind::GatewayCut
            | Kind::GatewaySilent
            | Kind::BrokerSlow => {}
        }
    }
}
