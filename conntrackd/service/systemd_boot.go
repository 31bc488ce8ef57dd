package service

import "context"

// Enable makes the unit start at boot. Where it already does, nothing is
// written.
func (s *Systemd) Enable(ctx context.Context) error { return s.setBoot(ctx, ActionEnable, true) }

// Disable keeps the unit from starting at boot; a unit that does not exist
// does not start anyway. The running daemon is not touched.
func (s *Systemd) Disable(ctx context.Context) error { return s.setBoot(ctx, ActionDisable, false) }

func (s *Systemd) setBoot(ctx context.Context, a Action, want bool) error {
	waiting, cancel := context.WithTimeout(ctx, s.Wait)
	defer cancel()
	conn, u, err := s.open(waiting, a)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := s.usable(a, u); err != nil {
		if !want && (u.load == "not-found" || u.load == "masked") {
			return nil // it does not start at boot
		}
		return err
	}
	have, err := enabledAtBoot(waiting, conn, s.Unit)
	if err != nil {
		return s.refused(waiting, a, err)
	}
	if have == want {
		return nil
	}
	if err := changeBoot(waiting, conn, s.Unit, want); err != nil {
		return s.refused(waiting, a, err)
	}
	return s.checkBoot(waiting, conn, a, want)
}

// changeBoot writes the links and makes systemd read them: until a reload its
// own idea of the unit, UnitFileState, stays the old one.
func changeBoot(ctx context.Context, conn systemdConn, unit string, want bool) error {
	var err error
	if want {
		_, _, err = conn.EnableUnitFilesContext(ctx, []string{unit}, false, false)
	} else {
		_, err = conn.DisableUnitFilesContext(ctx, []string{unit}, false)
	}
	if err != nil {
		return err
	}
	return conn.ReloadContext(ctx)
}

func (s *Systemd) checkBoot(ctx context.Context, conn systemdConn, a Action, want bool) error {
	have, err := enabledAtBoot(ctx, conn, s.Unit)
	if err != nil {
		return s.refused(ctx, a, err)
	}
	if have == want {
		return nil
	}
	if want {
		// Enabling a unit without an [Install] section succeeds and does nothing.
		return s.failure(a, ErrRefused, "the unit has no [Install] section that would start it at boot", nil)
	}
	return s.failure(a, ErrRefused, "the unit is still enabled", nil)
}

// enabledAtBoot reads the links on disk, not systemd's memory of them. A unit
// that is enabled under /run only is not enabled after a boot.
func enabledAtBoot(ctx context.Context, conn systemdConn, unit string) (bool, error) {
	files, err := conn.ListUnitFilesByPatternsContext(ctx, nil, []string{unit})
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if f.Type == "enabled" {
			return true, nil
		}
	}
	return false, nil
}
