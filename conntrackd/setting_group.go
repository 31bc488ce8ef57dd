package conntrackd

import "cmp"

// SettingGroup is the heading under which an advanced setting is shown.
type SettingGroup string

// The groups, in the order in which they are shown.
const (
	LinkGroup  SettingGroup = "Links"
	ModeGroup  SettingGroup = "Transport and mode"
	ScopeGroup SettingGroup = "What is replicated"
	LimitGroup SettingGroup = "Buffers and limits"
)

// SettingGroups are all groups, in order.
func SettingGroups() []SettingGroup {
	return []SettingGroup{LinkGroup, ModeGroup, ScopeGroup, LimitGroup}
}

// Group is the one that an advanced setting belongs to. Where the table does not say
// it, it follows from where the directive stands in the file.
func (s Setting) Group() SettingGroup {
	if s.group != "" || s.directive == nil {
		return cmp.Or(s.group, LimitGroup)
	}
	switch s.directive.in {
	case inUDP, inSync: // what concerns several links stands above them
		return LinkGroup
	case inFTFW, inAlarm, inNotrack, inMulticast, inTCP:
		return ModeGroup
	case inOptions, inExpect, inFilter, inProtocols, inAddresses, inStates:
		return ScopeGroup
	}
	return LimitGroup
}

// grouped are settings that belong to a group.
func grouped(g SettingGroup, settings []Setting) []Setting {
	for i := range settings {
		settings[i].group = g
	}
	return settings
}
