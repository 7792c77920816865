"""Everything that is measured, in the order of the tables."""

from bench.subjects.bore import Bore
from bench.subjects.chisel import Chisel
from bench.subjects.direct import Direct
from bench.subjects.frp import Frp, FrpPlain
from bench.subjects.haproxy import HaProxy, HaProxySplice, HaProxyTls
from bench.subjects.nginx import NginxStream
from bench.subjects.own import (Tunnel, TunnelDatagram, TunnelEncrypted, TunnelEncryptedIoUring, TunnelEncryptedLimited,
                                TunnelEncryptedLists, TunnelIoUring, TunnelLimited, TunnelLists, TunnelLossy, TunnelProxied,
                                TunnelStream, TunnelStreamEncrypted)
from bench.subjects.rathole import Rathole, RatholeNoise
from bench.subjects.ssh import SshRemoteForward

SUBJECTS = (Direct, Tunnel, TunnelIoUring, TunnelLists, TunnelLimited, HaProxy, HaProxySplice, NginxStream, FrpPlain,
            Rathole, Bore, TunnelEncrypted, TunnelEncryptedIoUring, TunnelEncryptedLists, TunnelEncryptedLimited,
            HaProxyTls, SshRemoteForward, Frp, RatholeNoise, Chisel, TunnelStream, TunnelStreamEncrypted, TunnelDatagram,
            TunnelProxied, TunnelLossy)
