package console

import (
	"fmt"
	"reflect"
	"runtime/debug"

	tea "charm.land/bubbletea/v2"
)

// stage stands between Bubble Tea and a program's model: it hands what is to
// be seen to the painter, tells the model the line's size, and catches a panic
// so that the terminal is put right before anybody reads of it.
type stage struct {
	model         tea.Model
	line          *Line
	painter       *painter
	quit          func() // ends the program
	width, height int
	crash         *crash
}

// crash is the message of a command that panicked.
type crash struct {
	cause any
	stack []byte
}

// CrashError says that the program panicked. Its text is the panic and the
// stack.
type CrashError struct{ text string }

// Error is the panic and the stack, on several lines.
func (e *CrashError) Error() string { return e.text }

func (s *stage) Init() tea.Cmd {
	return s.guarded(func() tea.Cmd { return s.model.Init() })
}

// Update is the model's, with the line's own size whatever Bubble Tea thinks.
func (s *stage) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if s.crash != nil {
		return s, tea.Quit
	}
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = s.line.size()
		msg = tea.WindowSizeMsg{Width: s.width, Height: s.height}
	case tea.KeyPressMsg:
		s.painter.typed()
	case crash:
		s.crash = &m
		return s, tea.Quit
	}
	if msg == tea.ClearScreen() {
		s.painter.redraw()
	}
	return s, s.guarded(func() (cmd tea.Cmd) {
		s.model, cmd = s.model.Update(msg)
		return cmd
	})
}

// View is called by Bubble Tea after every Update.
func (s *stage) View() (v tea.View) {
	if s.width > 0 && s.crash == nil {
		s.guarded(func() tea.Cmd {
			v = s.model.View()
			s.painter.show(v, s.width, s.height)
			return nil
		})
		if s.crash != nil {
			go s.quit() // there may be no Update any more to say so
		}
	}
	return v
}

// guarded runs what belongs to the model.
func (s *stage) guarded(do func() tea.Cmd) (cmd tea.Cmd) {
	defer func() {
		if cause := recover(); cause != nil {
			s.crash = &crash{cause, debug.Stack()}
			cmd = tea.Quit
		}
	}()
	return guard(do())
}

// guard is a command whose panic becomes a message; so do those of the
// commands that it is made of.
func guard(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if cause := recover(); cause != nil {
				msg = crash{cause, debug.Stack()}
			}
		}()
		msg = cmd()
		// A batch is a slice of commands, and so is a sequence, whose type is
		// not exported.
		if v := reflect.ValueOf(msg); v.IsValid() && v.Kind() == reflect.Slice && v.Type().Elem() == reflect.TypeFor[tea.Cmd]() {
			for i := range v.Len() {
				v.Index(i).Set(reflect.ValueOf(guard(v.Index(i).Interface().(tea.Cmd))))
			}
		}
		return msg
	}
}

func (s *stage) err() error {
	if s.crash == nil {
		return nil
	}
	return &CrashError{fmt.Sprintf("internal error: %v\n%s", s.crash.cause, s.crash.stack)}
}
