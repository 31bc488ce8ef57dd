// Package ethtool asks drivers about network interfaces by ioctl(2): their speed, and
// whether they are devices on a bus. Open one Socket for many interfaces. It will not
// know why a driver is silent: what it asks for is decoration.
package ethtool

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket asks the drivers of a network namespace. Unlike /sys/class/net, which shows the
// network namespace in which it was mounted, a socket always shows that of the
// thread that opened it.
type Socket struct{ fd int }

// Open returns a Socket that knows nothing when there is no socket to
// be had: speed and bus are decoration.
func Open() Socket {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fd = -1
	}
	return Socket{fd}
}

// Close gives the socket back.
func (e Socket) Close() {
	if e.fd >= 0 {
		unix.Close(e.fd)
	}
}

// OnBus reports whether the interface is a device on a bus (PCI, USB, virtio).
// It serves kernels before 5.14, which have no IFLA_PARENT_DEV_NAME.
func (e Socket) OnBus(name string) bool {
	if e.fd < 0 {
		return false
	}
	info, err := unix.IoctlGetEthtoolDrvinfo(e.fd, name)
	return err == nil && info.Bus_info[0] != 0
}

// ethtoolCmd is struct ethtool_cmd of linux/ethtool.h.
type ethtoolCmd struct {
	cmd, supported, advertising uint32
	speedLow                    uint16
	duplex, port, phy           uint8
	transceiver, autoneg, mdio  uint8
	maxTxPackets, maxRxPackets  uint32
	speedHigh                   uint16
	ethTPMDIX, ethTPMDIXControl uint8
	lpAdvertising               uint32
	reserved                    [2]uint32
}

// ethtoolIfreq is struct ifreq with the pointer member.
type ethtoolIfreq struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// Speed returns the link's speed in Mbit/s, 0 when the driver does not know.
func (e Socket) Speed(name string) int {
	if e.fd < 0 || len(name) >= unix.IFNAMSIZ {
		return 0
	}
	cmd := ethtoolCmd{cmd: unix.ETHTOOL_GSET}
	ifr := ethtoolIfreq{data: unsafe.Pointer(&cmd)}
	copy(ifr.name[:], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr)))
	runtime.KeepAlive(&cmd)
	mbps := uint32(cmd.speedHigh)<<16 | uint32(cmd.speedLow)
	if errno != 0 || int32(mbps) <= 0 || mbps == 0xffff { // SPEED_UNKNOWN, whole or cut to 16 bits
		return 0
	}
	return int(mbps)
}
